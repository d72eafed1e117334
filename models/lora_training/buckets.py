"""Sizes that images are trained at: the shape of each is kept, the number of pixels is the same for all."""

from __future__ import annotations

import math

MAX_STRETCH = 2.0  # an image twice as wide as high is cut to no narrower shape than that


def bucket_of(width: int, height: int, *, pixels: int, multiple_of: int) -> tuple[int, int]:
    """The (width, height) that an image is scaled and cut to: about `pixels` in all, sides in whole steps.

    Images of similar shapes share a bucket, so that they can share a batch."""
    shape = min(max(width / height, 1 / MAX_STRETCH), MAX_STRETCH)
    # Sixths of an octave: between two neighbouring shapes at most 6% of a side is cut away.
    shape = 2 ** (round(math.log2(shape) * 6) / 6)
    wide = _whole(math.sqrt(pixels * shape), multiple_of)
    return wide, _whole(pixels / wide, multiple_of)


def _whole(side: float, step: int) -> int:
    return max(step, round(side / step) * step)
