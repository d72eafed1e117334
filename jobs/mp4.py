"""What an MP4 or MOV file says of itself, read from its boxes (ISO/IEC 14496-12): enough to check a caller's video
without a decoder, which a Lambda function has no room for. The agent decodes it, and has the last word."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from jobs.errors import RequestError

MAX_BOXES = 10_000
MAX_SIDE = 8192
_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})


class Movie(NamedTuple):
    """The first video track: pixels, frames, frames a second, seconds. `quicktime`: MOV, not MP4."""

    width: int
    height: int
    num_frames: int
    fps: float
    seconds: float
    quicktime: bool


class _Unreadable(Exception):
    """Not the boxes of a whole MP4."""


class _Box(NamedTuple):
    kind: bytes
    start: int  # of the payload
    end: int


def read_movie(data: bytes, *, param: str) -> Movie:
    """The file's first video track. Raises RequestError: no MP4 or MOV, cut short, no pictures in it."""
    try:
        return _movie(memoryview(data))
    except (_Unreadable, struct.error, IndexError) as error:
        message = f"Invalid '{param}': not a whole MP4 or MOV file with a video track."
        raise RequestError(message, param=param, code=f"invalid_{param}") from error


def _movie(data: memoryview) -> Movie:
    top = list(_boxes(data, 0, len(data)))
    brands = [bytes(data[box.start : box.start + 4]) for box in top if box.kind == b"ftyp"]
    if not brands or not any(box.kind == b"mdat" for box in top):
        raise _Unreadable
    for movie in (box for box in top if box.kind == b"moov"):
        for track in (box for box in _boxes(data, movie.start, movie.end) if box.kind == b"trak"):
            found = _track(data, track, quicktime=brands[0] == b"qt  ")
            if found is not None:
                return found
    raise _Unreadable


def _track(data: memoryview, track: _Box, *, quicktime: bool) -> Movie | None:
    """The track's facts; None if it is no video track."""
    parts: dict[bytes, _Box] = {}
    for box in _within(data, track):
        parts.setdefault(box.kind, box)  # QuickTime has a second handler, of the data, further down
    if bytes(data[parts[b"hdlr"].start + 8 : parts[b"hdlr"].start + 12] if b"hdlr" in parts else b"") != b"vide":
        return None
    if not {b"tkhd", b"mdhd", b"stsz"} <= parts.keys():
        raise _Unreadable
    width, height = (side >> 16 for side in struct.unpack_from(">II", data, parts[b"tkhd"].end - 8))
    timescale, duration = _duration(data, parts[b"mdhd"])
    (num_frames,) = struct.unpack_from(">I", data, parts[b"stsz"].start + 8)
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and timescale and duration and num_frames):
        raise _Unreadable
    seconds = duration / timescale
    return Movie(width, height, num_frames, num_frames / seconds, seconds, quicktime)


def _duration(data: memoryview, box: _Box) -> tuple[int, int]:
    """Ticks a second, and ticks. Version 1 of the box has 64-bit times."""
    if data[box.start] == 1:
        timescale, duration = struct.unpack_from(">IQ", data, box.start + 20)
    else:
        timescale, duration = struct.unpack_from(">II", data, box.start + 12)
    return timescale, duration


def _within(data: memoryview, box: _Box) -> Iterator[_Box]:
    for inner in _boxes(data, box.start, box.end):
        yield inner
        if inner.kind in _CONTAINERS:
            yield from _within(data, inner)


def _boxes(data: memoryview, start: int, end: int) -> Iterator[_Box]:
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        elif size == 0:  # to the end
            size = end - start
        if size < header or start + size > end:
            raise _Unreadable
        yield _Box(kind, start + header, start + size)
        start += size
    raise _Unreadable
