"""The videos that edits and extensions begin at: finished ones of ours, uploads, and files sent along."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from jobs.errors import RequestError
from jobs.ids import UPLOAD_PREFIX
from jobs.images import data_url_bytes
from jobs.job import Job
from jobs.media import MediaBucket
from jobs.mp4 import Movie, read_movie
from jobs.request import VideoRequest
from models.catalog import Size

MAX_VIDEO_BYTES = 64 * 2**20  # read into the function's memory to be checked


@dataclass(frozen=True, kw_only=True)
class Source:
    """A video as it is, in pixels and frames. `key` leads to it once `keep` was called.

    `request` and `video_id` are those of the job that made it, if one of ours did; else `sha256` tells it from others.
    """

    key: str
    size: Size
    num_frames: int
    fps: int
    keep: Callable[[], object]
    video_id: str | None = None
    request: VideoRequest | None = None
    sha256: str | None = None


class SourceVideos:
    """Finds them and looks at them."""

    def __init__(self, media: MediaBucket) -> None:
        self._media = media

    def finished(self, job: Job) -> Source:
        """A completed job's video. Copied for each job made from it: its owner may delete the original."""
        outputs = job.outputs
        assert outputs is not None  # it is completed
        key, keep = self._media.copy_of(outputs.video)
        return Source(
            key=key,
            size=Size(width=outputs.width, height=outputs.height),
            num_frames=outputs.num_frames,
            fps=outputs.fps,
            keep=keep,
            video_id=job.id,
            request=job.request,
        )

    def sent_along(self, reference: str, *, owner: str) -> Source:
        """A video by upload id or data URL. Raises RequestError: nothing there, no video, too large."""
        data = self.read(reference, owner=owner)
        movie = read_movie(data, param="video")
        key, keep = self._media.file(data, *_kind(movie))
        return Source(
            key=key,
            size=Size(width=movie.width, height=movie.height),
            num_frames=movie.num_frames,
            fps=_whole_fps(movie),
            keep=keep,
            sha256=hashlib.sha256(data).hexdigest(),
        )

    def copy_of(self, key: str) -> tuple[str, Callable[[], None]]:
        """A key for another job's copy of an image or video, and the call that makes it."""
        return self._media.copy_of(key)

    def read(self, reference: str, *, owner: str) -> bytes:
        """The bytes of an upload or a data URL. Raises RequestError."""
        if reference.startswith(UPLOAD_PREFIX):
            return self._media.uploaded(reference, owner=owner, max_bytes=MAX_VIDEO_BYTES, param="video")
        return data_url_bytes(reference, param="video")


def _kind(movie: Movie) -> tuple[str, str]:
    """File name ending and media type."""
    return ("mov", "video/quicktime") if movie.quicktime else ("mp4", "video/mp4")


def _whole_fps(movie: Movie) -> int:
    fps = round(movie.fps)
    if fps < 1 or abs(movie.fps - fps) > 0.01:
        message = f"Invalid 'video': it has {movie.fps:.3f} frames a second; models make whole numbers of them."
        raise RequestError(message, param="video", code="fps_not_whole")
    return fps
