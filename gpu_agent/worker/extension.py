"""The video that an edit or extension begins at: its frame for the model, its frames for the stitched whole.

An extension is encoded once, from the decoded frames of the source and the generated ones after them; the generated
first frame, which repeats the source's last one, is left out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobs.request import VideoRequest
    from models.interface import Frame


class SourceUnusable(Exception):
    """The file is no video, or not the one that was accepted; `message` is for the caller."""


def decoded(video: Path) -> Iterator["Frame"]:
    """The file's frames in order, uint8 RGB, height x width x 3. Raises SourceUnusable."""
    import av

    try:
        # Tags are of no interest, and may be in any encoding: FFmpeg hands them on as the file has them.
        with av.open(str(video), metadata_errors="ignore") as container:
            for picture in container.decode(video=0):
                yield picture.to_ndarray(format="rgb24")  # by the colour space that the file names
    except (av.error.FFmpegError, IndexError, ValueError, MemoryError) as error:
        # Beside FFmpeg's own errors: no video stream, fields that PyAV cannot convert, frames larger than the memory.
        raise SourceUnusable(f"the source video cannot be decoded: {error}") from error


def input_frame(video: Path, request: "VideoRequest", into: Path) -> Path:
    """The frame that `request` begins at, as a PNG: an extension's last, an edit's first.

    Raises SourceUnusable, also where the video is not as long or large as its container said at acceptance."""
    import PIL.Image

    source = request.video
    assert source is not None  # the caller looked
    frame: Frame | None = None
    count = 0
    for each in decoded(video):
        frame, count = each, count + 1
        if source.use == "edit":
            break
    if frame is None:
        raise SourceUnusable("the source video has no frames")
    height, width = frame.shape[:2]
    found, wanted = (count, width, height), (source.num_frames, request.width, request.height)
    if source.use == "extend" and found != wanted:
        raise SourceUnusable(
            f"the source video has {count} frames of {width}x{height}, not {source.num_frames} of {request.size}"
        )
    PIL.Image.fromarray(frame).save(into, "PNG")
    return into
