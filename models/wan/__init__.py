"""Wan 2.2: text and image to video, two experts (A14B) or expanded timesteps (TI2V-5B), and the shipped `wan-mini`."""

from models.wan.family import load

__all__ = ["load"]
