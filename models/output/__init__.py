"""From frames to files: MP4 or MOV, thumbnail and spritesheet, all taken from one pass over the frames."""

from models.output.errors import OutputError
from models.output.video import CODECS, VideoFile, write_video

__all__ = ["CODECS", "OutputError", "VideoFile", "write_video"]
