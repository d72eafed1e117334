"""Upscaling and frame interpolation by FFmpeg's own filters, frame by frame in the stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from models.output.errors import OutputError

FACTORS = (1, 2, 4)
_LOOKAHEAD = 3  # frames after the last that minterpolate is given; it asks for two


def enhance(
    frames: Iterable[NDArray[np.uint8]], *, fps: int, upscale: int, interpolate: int
) -> Iterator[NDArray[np.uint8]]:
    """Frames `upscale` times as wide and high (Lanczos) and at `interpolate` times the rate (motion compensated).

    n frames become (n - 1) x `interpolate` + 1: the given ones stay where they were, new ones lie between them.
    Raises `OutputError` for a factor that is not offered.
    """
    if upscale not in FACTORS or interpolate not in FACTORS:
        raise OutputError(f"upscale and interpolate are one of {FACTORS}, not {upscale} and {interpolate}")
    if upscale == interpolate == 1:
        return iter(frames)
    return _enhance(frames, fps, upscale, interpolate)


def enhanced_count(num_frames: int, interpolate: int) -> int:
    """Frames that `enhance` makes of `num_frames`."""
    return (num_frames - 1) * interpolate + 1


def _enhance(
    frames: Iterable[NDArray[np.uint8]], fps: int, upscale: int, interpolate: int
) -> Iterator[NDArray[np.uint8]]:
    graph: Graph | None = None
    count = yielded = 0
    for count, frame in enumerate(frames, start=1):
        graph = graph or _graph(frame, fps, upscale, interpolate)
        for ready in _passed(graph, frame, count - 1, fps):
            yielded += 1
            yield ready
    if graph is None:
        return
    # minterpolate holds back what it has no successors for: the last frame stands in for them, and what is made of
    # those repetitions is not taken.
    for extra in range(_LOOKAHEAD if interpolate > 1 else 0):
        for ready in _passed(graph, frame, count + extra, fps):
            if yielded < enhanced_count(count, interpolate):
                yielded += 1
                yield ready


def _passed(graph: Graph, frame: NDArray[np.uint8], index: int, fps: int) -> Iterator[NDArray[np.uint8]]:
    """Puts one frame in and takes out what the filters have finished."""
    picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
    picture.pts = index
    picture.time_base = Fraction(1, fps)
    graph.push(picture)
    yield from _ready(graph)


def _graph(frame: NDArray[np.uint8], fps: int, upscale: int, interpolate: int) -> Graph:
    height, width = frame.shape[:2]
    graph: Any = Graph()
    chain = [graph.add_buffer(width=width, height=height, format="rgb24", time_base=Fraction(1, fps))]
    if interpolate > 1:  # first: motion is searched for in the smaller pictures
        # Motion compensated, bidirectional search; a cut is not blended over (https://ffmpeg.org/ffmpeg-filters.html).
        options = f"fps={fps * interpolate}:mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1:scd=fdiff"
        chain.append(graph.add("minterpolate", options))
    if upscale > 1:
        chain.append(graph.add("scale", f"{width * upscale}:{height * upscale}:flags=lanczos"))
    chain += [graph.add("format", "rgb24"), graph.add("buffersink")]
    graph.link_nodes(*chain).configure()
    return graph  # type: ignore[no-any-return]


def _ready(graph: Graph) -> Iterator[NDArray[np.uint8]]:
    """What the filters have finished."""
    while True:
        try:
            picture: Any = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield picture.to_ndarray(format="rgb24")
