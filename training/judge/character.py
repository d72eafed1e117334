"""Is the character in the clip? Read off the pixels: its two colours, their checkers, its five corners."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from training.judge.motion import measure, read_motion
from training.judge.pixels import FOREGROUND_DISTANCE, SUPPORT, local_mean, read_backdrops
from training.judge.shape import PROTOTYPE_FRAME, PROTOTYPE_RADII, Moments, moments, prototypes
from training.world import character
from training.world.draw import coverage
from training.world.palette import SHAPES, colour_rgb

Array = npt.NDArray[np.float32]

MIN_AREA_SHARE = 0.01
"""Share of the frame from which something counts as a figure; the character's smallest has 0.02."""

MIN_COLOUR_SHARE = 0.25
"""Share of the figure that each of the two colours has at least; drawn ones have 0.5."""

COLOUR_DISTANCE = 0.3
"""RGB distance from one of the two colours within which a pixel is of it: they are 0.8 apart."""

MIN_OWN_SHARE = 0.6
"""Share of the figure's pixels that are of either colour; the rest are edges, which mix."""

MIN_CHECKERS = 0.3
"""Second angular harmonic of the colours around the centre: 0.64 for drawn quadrants, 0 for halves or one colour."""

MIN_FRAMES_SHARE = 0.8
"""Share of a clip's frames that have to show the character."""


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What a clip shows of the character. `frames` is the share of frames with its colours and checkers; `corners`
    whether its outline over the clip is nearer to a pentagon than to any shape of the world but the circle, from which
    blurred corners cannot tell it; `motion` and `background` by the world's names."""

    frames: float
    corners: bool
    motion: str
    background: str

    @property
    def shown(self) -> bool:
        """The character is there."""
        return self.frames >= MIN_FRAMES_SHARE and self.corners


def look_for(frames: npt.NDArray[np.uint8]) -> Sighting:
    """Look for the character in uint8 frames [F, H, W, 3], F >= 5."""
    shown = torch.from_numpy(frames.astype(np.float32)) / 255
    backdrops = read_backdrops(shown[None])
    soft = ((shown - backdrops.pixels[0]).norm(dim=-1) / FOREGROUND_DISTANCE - 0.5).clamp(0, 1)
    soft = torch.where(local_mean(soft) < SUPPORT, 0, soft)
    figure = moments(soft[None])[0]
    pixels, mask = shown.numpy(), soft.numpy()
    right = [_is_checkered(pixels[at], mask[at], figure, at) for at in range(len(frames))]
    movement = measure(figure, 0.0, float(min(frames.shape[1:3])))
    return Sighting(
        frames=float(np.mean(right)),
        corners=_has_corners(figure),
        motion=read_motion(movement),
        background=backdrops.colours[0],
    )


def _is_checkered(pixels: Array, mask: Array, figure: Moments, at: int) -> bool:
    """Whether a frame's figure has the two colours in quadrants. pixels: [H, W, 3]; mask: [H, W]."""
    area = float(figure.area[at])
    if area < MIN_AREA_SHARE * mask.size:
        return False
    first, second = (
        mask * (np.linalg.norm(pixels - colour_rgb(n), axis=-1) < COLOUR_DISTANCE) for n in character.COLOURS
    )
    shares = float(first.sum()) / area, float(second.sum()) / area
    if min(shares) < MIN_COLOUR_SHARE or sum(shares) < MIN_OWN_SHARE:
        return False
    rows, columns = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    angle = np.arctan2(rows - figure.centroid[at, 1], columns - figure.centroid[at, 0])
    signs = first - second
    return float(abs((signs * np.exp(2j * angle)).sum())) / area >= MIN_CHECKERS


def _has_corners(figure: Moments) -> bool:
    visible = figure.area > 0.5 * np.median(figure.area)
    if not visible.any() or not figure.area.any():
        return False
    seen = np.median(figure.features()[visible], axis=0)
    table, scale = prototypes()
    others = [index for index, shape in enumerate(SHAPES) if shape != "circle"]
    nearest_other = np.linalg.norm((table[others] - seen) / scale, axis=-1).min()
    nearest_own = np.linalg.norm((_pentagons() - seen) / scale, axis=-1).min()
    return bool(nearest_own < nearest_other)


@lru_cache(maxsize=1)
def _pentagons() -> Array:
    """Features of drawn pentagons at several sizes, [sizes, 4]."""
    form = torch.tensor([[float(character.VERTICES), character.INNER_RATIO]])
    rows = []
    for radius in PROTOTYPE_RADII:
        motion = torch.tensor([[[48.3, 47.6, radius * character.OUTER_RADIUS, 0.0]]])
        drawn = coverage(motion, form, PROTOTYPE_FRAME, PROTOTYPE_FRAME)
        rows.append(moments(drawn)[0].features()[0])
    return np.stack(rows).astype(np.float32)
