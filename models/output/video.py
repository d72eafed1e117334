"""Encodes frames as they come; never more than one of them is held here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from models.output.errors import OutputError
from models.output.filters import enhance, enhanced_count
from models.output.stills import Stills


@dataclass(frozen=True, kw_only=True)
class Codec:
    """An encoder of FFmpeg, its pixel format and options. `suffix` is the container's file name ending."""

    encoder: str
    pixel_format: str
    suffix: str
    options: Mapping[str, str]
    tag: str | None = None


CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        # CRF 18 is visually lossless by x264's own account (https://trac.ffmpeg.org/wiki/Encode/H.264).
        # Without macroblock trees, because with them the same frames now and then gave other bytes (6 files of 120 on a
        # CPU with AVX-512, none of 150 without); a resumed job's file is to be that of an uninterrupted one.
        "h264": Codec(
            encoder="libx264",
            pixel_format="yuv420p",
            suffix=".mp4",
            options={"crf": "18", "preset": "medium", "x264-params": "mbtree=0"},
        ),
        # x265's CRF 22 stands about where x264's 18 does; `hvc1` is the tag that Apple's players need.
        "h265": Codec(
            encoder="libx265",
            pixel_format="yuv420p",
            suffix=".mp4",
            options={"crf": "22", "preset": "medium", "x265-params": "log-level=error"},
            tag="hvc1",
        ),
        # Profile 3 is ProRes 422 HQ.
        "prores": Codec(
            encoder="prores_ks", pixel_format="yuv422p10le", suffix=".mov", options={"profile": "3", "vendor": "apl0"}
        ),
    }
)


@dataclass(frozen=True, kw_only=True)
class VideoFile:
    """A finished file: pixels, frames, frames a second, bytes on disk, seconds of play."""

    path: Path
    width: int
    height: int
    num_frames: int
    fps: int
    bytes: int
    seconds: float


def write_video(
    frames: Iterable[NDArray[np.uint8]],
    path: Path,
    *,
    fps: int,
    num_frames: int,
    codec: str = "h264",
    thumbnail: Path | None = None,
    spritesheet: Path | None = None,
    upscale: int = 1,
    interpolate: int = 1,
) -> VideoFile:
    """Encodes `frames` (height x width x 3, uint8 RGB) to `path`: BT.709, limited range, index in front (faststart).

    `num_frames` says how many are to come, at `fps` frames a second. `upscale` (1, 2, 4) multiplies the sides,
    `interpolate` (1, 2, 4) the frame rate; the `VideoFile` tells what came of it. Thumbnail (the middle frame) and
    spritesheet (up to 16 frames) are JPEGs taken on the way. On any error, the frames' own included, no file is left.

    Raises `OutputError` for an unknown codec, an odd size, another number of frames than announced, or a factor
    that is not offered.
    """
    if codec not in CODECS:
        raise OutputError(f"unknown codec {codec!r}; there are {', '.join(CODECS)}")
    enhanced = enhance(_counted(frames, num_frames), fps=fps, upscale=upscale, interpolate=interpolate)
    stills = Stills(enhanced_count(num_frames, interpolate))
    try:
        with _Encoder(path, CODECS[codec], fps * interpolate) as encoder:
            for index, frame in enumerate(enhanced):
                stills.see(index, frame)
                encoder.add(frame)
            encoder.finish()
        stills.write(thumbnail=thumbnail, spritesheet=spritesheet)
    except BaseException:
        for written in (path, thumbnail, spritesheet):
            if written is not None:
                written.unlink(missing_ok=True)
        raise
    return VideoFile(
        path=path,
        width=encoder.width,
        height=encoder.height,
        num_frames=encoder.count,
        fps=fps * interpolate,
        bytes=path.stat().st_size,
        seconds=encoder.count / (fps * interpolate),
    )


def _counted(frames: Iterable[NDArray[np.uint8]], announced: int) -> Iterator[NDArray[np.uint8]]:
    """Passes `frames` on, and raises `OutputError` if they are more or fewer than announced."""
    count = 0
    for frame in frames:
        count += 1
        yield frame
    if count != announced:
        raise OutputError(f"{count} frames came, {announced} were announced")


class _Encoder:
    """One output file; its stream is opened with the first frame, which brings the size."""

    def __init__(self, path: Path, codec: Codec, fps: int) -> None:
        self._codec = codec
        self._fps = fps
        self._container = av.open(str(path), "w", options={"movflags": "+faststart"})
        self._stream: Any = None
        self.count = 0
        self.width = 0
        self.height = 0

    def __enter__(self) -> _Encoder:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def add(self, frame: NDArray[np.uint8]) -> None:
        if self._stream is None:
            self._open_stream(frame)
        if frame.shape != (self.height, self.width, 3):
            raise OutputError(f"frame {self.count} has shape {frame.shape}, not {self.height}x{self.width}x3")
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(
            format=self._codec.pixel_format,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        # ProRes takes these from each frame and not from the stream.
        picture.color_primaries = ColorPrimaries.BT709
        picture.color_trc = ColorTrc.BT709
        picture.pts = self.count
        picture.time_base = Fraction(1, self._fps)
        self._container.mux(self._stream.encode(picture))
        self.count += 1

    def finish(self) -> None:
        if self._stream is None:
            raise OutputError("no frames came")
        self._container.mux(self._stream.encode(None))

    def _open_stream(self, frame: NDArray[np.uint8]) -> None:
        self.height, self.width = frame.shape[:2]
        if self.width % 2 or self.height % 2:
            raise OutputError(f"{self.width}x{self.height}: subsampled colour needs even sides")
        stream: Any = self._container.add_stream(self._codec.encoder, rate=self._fps)
        stream.width, stream.height = self.width, self.height
        stream.pix_fmt = self._codec.pixel_format
        stream.options = dict(self._codec.options)
        stream.time_base = Fraction(1, self._fps)
        context = stream.codec_context
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        context.colorspace = Colorspace.ITU709
        context.color_range = ColorRange.MPEG
        if self._codec.tag is not None:
            context.codec_tag = self._codec.tag
        self._stream = stream
