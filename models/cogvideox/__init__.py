"""CogVideoX-5B: text and image to video."""

from models.cogvideox.family import load

__all__ = ["load"]
