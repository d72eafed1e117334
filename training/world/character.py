"""A character that is not in the world: a pentagon checkered in two colours. For showing that a LoRA can learn it.

It moves as the world's figures do, on the world's backgrounds; only its form and its two colours are its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from training.world.draw import coverage, to_frames
from training.world.palette import COLOUR_NAMES, colour_rgb, gradient_end
from training.world.scene import GRADIENT_SHARE
from training.world.tracks import MARGIN, Box, Track, figure_track

COLOURS: Final = ("orange", "purple")
"""The quadrants at the upper right and lower left have the first, the others the second."""

BACKGROUNDS: Final = tuple(name for name in COLOUR_NAMES if name not in COLOURS)

VERTICES: Final = 5
INNER_RATIO: Final = float(np.cos(np.pi / 5))
OUTER_RADIUS: Final = 1.25
"""Circumscribed radius over nominal radius, as for the world's square."""

RADIUS_SHARE: Final = (0.14, 0.17)
"""Nominal radius over the frame's shorter side: a little larger than the world's, so that four quadrants show."""


PORTRAIT_RADIUS_SHARE: Final = (0.09, 0.12)
"""The same in a picture, which shows more of what is around."""

PORTRAIT_OFFSET_SHARE: Final = 0.08
"""How far from the middle of a picture the character is at most, over the picture's side."""


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """One clip of the character: what it does, on which background."""

    motion: str
    background: str
    gradient: bool = False


def random_appearances(count: int, motions: Sequence[str], rng: np.random.Generator) -> list[Appearance]:
    """`count` appearances; motions and backgrounds come round in turn, so that none is missing."""
    backgrounds = [str(name) for _ in range(-(-count // len(BACKGROUNDS))) for name in rng.permutation(BACKGROUNDS)]
    return [
        Appearance(
            motion=motions[index % len(motions)],
            background=backgrounds[index],
            gradient=bool(rng.random() < GRADIENT_SHARE),
        )
        for index in range(count)
    ]


def draw_character(clips: Sequence[Appearance], frames: int, height: int, width: int, seed: int) -> np.ndarray:
    """The clips as uint8 frames, [B, F, H, W, 3]."""
    rng = np.random.default_rng(seed)
    tracks = [_track(clip.motion, frames, height, width, rng) for clip in clips]
    return to_frames(torch.stack([_clip(*each, height, width) for each in zip(clips, tracks, strict=True)]))


def draw_portraits(shown: Sequence[Appearance], side: int, seed: int) -> np.ndarray:
    """Square pictures of the character near the middle, uint8 [B, H, W, 3]. What it does does not show in a picture."""
    rng = np.random.default_rng(seed)
    tracks = [_portrait_track(side, rng) for _ in shown]
    return to_frames(torch.stack([_clip(*each, side, side) for each in zip(shown, tracks, strict=True)]))[:, 0]


def _portrait_track(side: int, rng: np.random.Generator) -> Track:
    centre = side * (0.5 + rng.uniform(-PORTRAIT_OFFSET_SHARE, PORTRAIT_OFFSET_SHARE, (2, 1)))
    x, y = centre.astype(np.float32)
    radius = np.array([rng.uniform(*PORTRAIT_RADIUS_SHARE) * side], dtype=np.float32)
    return Track(x=x, y=y, radius=radius, angle=np.zeros(1, dtype=np.float32))


def _clip(clip: Appearance, track: Track, height: int, width: int) -> Tensor:
    """[3, F, H, W] in -1..1."""
    motion = torch.from_numpy(np.stack([track.x, track.y, track.radius * OUTER_RADIUS, track.angle], axis=-1))
    form = torch.tensor([[float(VERTICES), INNER_RATIO]])
    alpha = coverage(motion[None].float(), form, height, width)[0]
    painted = _checkers(motion.float(), height, width)
    start = torch.from_numpy(colour_rgb(clip.background))
    end = torch.from_numpy(gradient_end(clip.background)) if clip.gradient else start
    along = torch.linspace(0, 1, height)[None, :, None]
    backdrop = start[:, None, None, None] + (end - start)[:, None, None, None] * along
    return (backdrop + (painted - backdrop) * alpha) * 2 - 1


def _track(motion: str, frames: int, height: int, width: int, rng: np.random.Generator) -> Track:
    from training.world.scene import Figure

    margin = MARGIN * min(height, width)
    box = Box(left=margin, top=margin, right=width - margin, bottom=height - margin)
    radius = float(rng.uniform(*RADIUS_SHARE)) * min(height, width)
    # The square's reach is the pentagon's.
    return figure_track(Figure(colour="orange", shape="square", motion=motion), box, frames, radius, rng)


def _checkers(motion: Tensor, height: int, width: int) -> Tensor:
    """The colour of every pixel if it is the character's, [3, F, H, W]; edges between quadrants are a pixel wide."""
    rows = torch.arange(height, dtype=torch.float32) + 0.5
    columns = torch.arange(width, dtype=torch.float32) + 0.5
    centre_x, centre_y, _, angle = (value[:, None, None] for value in motion.unbind(-1))
    x, y = columns - centre_x, rows[:, None] - centre_y
    across = x * torch.cos(angle) + y * torch.sin(angle)
    down = -x * torch.sin(angle) + y * torch.cos(angle)
    # Positive in the upper right and the lower left; the product of two ramps is anti-aliased at both axes.
    first = 0.5 - 0.5 * across.clamp(-1, 1) * down.clamp(-1, 1)
    one, other = (torch.from_numpy(colour_rgb(name))[:, None, None, None] for name in COLOURS)
    return other + (one - other) * first
