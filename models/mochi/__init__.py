"""Mochi-1: text to video."""

from models.mochi.family import load

__all__ = ["load"]
