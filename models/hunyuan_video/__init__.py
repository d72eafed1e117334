"""HunyuanVideo 13B: text to video, and image to video with either way of conditioning on the first frame."""

from models.hunyuan_video.family import load

__all__ = ["load"]
