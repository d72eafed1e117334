"""What form a soft mask has: by its moments, compared with those of drawn shapes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.world.draw import coverage
from training.world.palette import INNER_RATIO, OUTER_RADIUS, SHAPES, SPINNING_SHAPES, VERTICES

Array = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]
PROTOTYPE_RADII = (9.0, 12.0, 16.0, 20.0)
PROTOTYPE_FRAME = 96
HARMONICS = (3, 4, 5)
"""Consecutive, from 3."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Per frame: area [F] (pixels), centroid [F, 2] (x, y), compactness [F] (1 for a disc), harmonics [F, 3]."""

    area: Array
    centroid: Array
    compactness: Array
    harmonics: Complex

    def features(self) -> Array:
        """Numbers that do not depend on place, size or angle, [F, 4]."""
        return np.concatenate([self.compactness[:, None], np.abs(self.harmonics)], axis=1)


def moments(masks: Tensor) -> list[Moments]:
    """Moments of each of soft masks [G, F, H, W]; frames without any mask have area 0."""
    height, width = masks.shape[2:]
    rows = torch.arange(height, device=masks.device, dtype=torch.float32)[:, None]
    columns = torch.arange(width, device=masks.device, dtype=torch.float32)
    area = masks.sum((2, 3))
    safe = area.clamp(min=1e-3)
    centre_x = (masks * columns).sum((2, 3)) / safe
    centre_y = (masks * rows).sum((2, 3)) / safe
    offset = (columns - centre_x[..., None, None]) + 1j * (rows - centre_y[..., None, None])
    spread = (masks * (offset.real.square() + offset.imag.square())).sum((2, 3)) / safe
    spread = spread.clamp(min=1e-3)
    harmonics, power = [], offset * offset
    for n in HARMONICS:
        power = power * offset
        harmonics.append((masks * power).sum((2, 3)) / safe / spread.sqrt() ** n)
    centroid = torch.stack([centre_x, centre_y], dim=-1)
    measured = (area, centroid, area / (2 * torch.pi * spread), torch.stack(harmonics, dim=-1))
    return [
        Moments(area=figure_area, centroid=centre, compactness=compactness, harmonics=turns)
        for figure_area, centre, compactness, turns in zip(*(v.cpu().numpy() for v in measured), strict=True)
    ]


def _drawn(shape: str, radius: float) -> Tensor:
    """A mask of the shape as the world draws it, [1, 1, H, W]."""
    motion = torch.tensor([48.3, 47.6, radius * OUTER_RADIUS[shape], 0.0])
    form = torch.tensor([float(VERTICES[shape]), INNER_RATIO[shape]])
    return coverage(motion[None, None], form[None], PROTOTYPE_FRAME, PROTOTYPE_FRAME)


@lru_cache(maxsize=1)
def prototypes() -> tuple[Array, Array]:
    """Features of each shape at several sizes, [shapes, sizes, 4], and the scale of each feature, [4]."""
    table = np.stack(
        [np.stack([moments(_drawn(shape, r))[0].features()[0] for r in PROTOTYPE_RADII]) for shape in SHAPES]
    )
    return table.astype(np.float32), (table.reshape(-1, table.shape[-1]).std(0) + 1e-6).astype(np.float32)


def read_shape(figure: Moments) -> str:
    """The shape nearest in features, by the median over the frames that show the figure at a size worth reading."""
    visible = figure.area > 0.5 * np.median(figure.area)
    table, scale = prototypes()
    features = np.median(figure.features()[visible], axis=0) if visible.any() else figure.features().mean(0)
    distances = np.linalg.norm((table - features) / scale, axis=-1).min(-1)
    return SHAPES[int(distances.argmin())]


def read_turning(figure: Moments, shape: str) -> float:
    """How far the figure turned over the clip, radians (absolute value); 0 for a circle, which does not show it."""
    if shape not in SPINNING_SHAPES:
        return 0.0
    vertices = VERTICES[shape]
    phase = np.unwrap(np.angle(figure.harmonics[:, HARMONICS.index(vertices)]))
    return float(abs(phase[-1] - phase[0]) / vertices)
