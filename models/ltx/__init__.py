"""LTX-Video: text and image to video."""

from models.ltx.family import load

__all__ = ["load"]
