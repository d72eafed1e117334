"""Pictures filmed by a camera that pans and zooms: clips that show the same at other places, sizes and speeds.

A network that was trained on clips and learns from held pictures learns that they stand still; where the prompt asks
for a motion, nothing of what was learned appears.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch

from models.catalog.training import CameraMove
from models.lora_training.request import LoraTrainingRequest

WINDOW = (0.6, 0.75)
"""Side of the camera's view over the picture's while it pans: the rest is the way it has to go."""

ZOOM = (0.55, 1.0)
"""The nearest and the widest view of a zoom: what is shown becomes 1.8 times as large."""

BOB_FRAMES = 12
"""In how many frames a bobbing camera goes down and comes up again: a step of somebody who walks, at 16 to 24 a second.
A clip shows as much of it as it is long, from any point on."""

CAMERA = "[camera]"
"""Where in a caption the words of the camera's move belong; without it they come last."""


@dataclass(frozen=True)
class Take:
    """A picture to learn from, the camera's move in front of it (None: it is held, whole), and what is said of both."""

    path: Path
    caption: str
    move: CameraMove | None


def takes(request: LoraTrainingRequest) -> list[Take]:
    """Every picture with every move, in one order whatever theirs in the request (a database keeps none); once and held
    where no moves are asked for."""
    asked = request.camera_moves
    moves: list[tuple[CameraMove | None, str]] = [(move, asked[move]) for move in get_args(CameraMove) if move in asked]
    return [
        Take(each.path, told(each.caption, words), move)
        for each in request.references
        for move, words in moves or [(None, "")]
    ]


def told(caption: str, words: str) -> str:
    """A caption of a picture with what the camera does."""
    if CAMERA not in caption:
        return f"{caption}, {words}" if words else caption
    return " ".join(caption.replace(CAMERA, words).split())


def filmed(
    image: PIL.Image.Image, size: tuple[int, int], move: CameraMove, *, frames: int, rng: np.random.Generator
) -> torch.Tensor:
    """A picture cut to the shape of `size` (width, height) and filmed: (1, 3, frames, height, width) in -1..1."""
    picture = _cut(image, size)
    window, phase = float(rng.uniform(*WINDOW)), float(rng.random())
    pixels = []
    for index in range(frames):
        bob = abs(math.sin(math.pi * (phase + index / BOB_FRAMES)))
        left, top, share = view(move, index / max(1, frames - 1), window, bob)
        edges = np.multiply((left, top, left + share, top + share), picture.size * 2)
        pixels.append(np.array(picture.resize(size, PIL.Image.Resampling.LANCZOS, box=tuple(edges))))
    return torch.from_numpy(np.stack(pixels)).permute(3, 0, 1, 2)[None].float() / 127.5 - 1


def view(move: CameraMove, progress: float, window: float, bob: float) -> tuple[float, float, float]:
    """What the camera sees at `progress` (0..1): left and top edge and side, as shares of the picture's sides.

    `window` is that side while it does not zoom, `bob` how far down it is (0..1) if it bobs."""
    if move in ("zoom_in", "zoom_out"):
        near, wide = ZOOM
        share = wide + (near - wide) * (progress if move == "zoom_in" else 1 - progress)
        return (1 - share) / 2, (1 - share) / 2, share
    way = 1 - window
    there, back, middle = way * progress, way * (1 - progress), way / 2
    left = {"pan_left": back, "pan_right": there}.get(move, middle)
    top = {"tilt_up": back, "tilt_down": there, "bob": way * bob}.get(move, middle)
    return left, top, window


def _cut(image: PIL.Image.Image, size: tuple[int, int]) -> PIL.Image.Image:
    """The middle of an image in the shape of `size`, in its own resolution."""
    wide = min(image.width, round(image.height * size[0] / size[1]))
    high = min(image.height, round(image.width * size[1] / size[0]))
    return PIL.ImageOps.fit(image, (max(1, wide), max(1, high)))
