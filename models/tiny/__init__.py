"""Tiny models with random weights in the true published layouts.

Tests run every family on them, and `make run` uses the Wan one as a stand-in until the trained `wan-mini` is there.
Each function saves a whole model, as its pipeline's `save_pretrained` lays it out, to the folder it is given.
"""

from models.tiny.cogvideox import cogvideox
from models.tiny.hunyuan_video import hunyuan_video, hunyuan_video_i2v
from models.tiny.ltx import ltx
from models.tiny.mochi import mochi
from models.tiny.stand_in import stand_in
from models.tiny.wan import wan, wan_ti2v

__all__ = ["cogvideox", "hunyuan_video", "hunyuan_video_i2v", "ltx", "mochi", "stand_in", "wan", "wan_ti2v"]
