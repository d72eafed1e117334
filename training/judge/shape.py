"""What form a soft mask has: by its moments, compared with those of drawn shapes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from training.world.draw import coverage
from training.world.palette import INNER_RATIO, OUTER_RADIUS, SHAPES, SPINNING_SHAPES, VERTICES

Array = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]
PROTOTYPE_RADII = (9.0, 12.0, 16.0, 20.0)
PROTOTYPE_FRAME = 96
HARMONICS = (3, 4, 5)


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


def moments(mask: Array) -> Moments:
    """Moments of soft masks [F, H, W]; frames without any mask have area 0."""
    rows, columns = np.mgrid[0 : mask.shape[1], 0 : mask.shape[2]].astype(np.float32)
    area = mask.sum((1, 2))
    safe = np.maximum(area, 1e-3)
    centre_x = (mask * columns).sum((1, 2)) / safe
    centre_y = (mask * rows).sum((1, 2)) / safe
    offset = (columns - centre_x[:, None, None]) + 1j * (rows - centre_y[:, None, None])
    spread = (mask * np.abs(offset) ** 2).sum((1, 2)) / safe
    scale = np.sqrt(np.maximum(spread, 1e-3))
    harmonics = np.stack([(mask * offset**n).sum((1, 2)) / safe / scale**n for n in HARMONICS], axis=1)
    return Moments(
        area=area.astype(np.float32),
        centroid=np.stack([centre_x, centre_y], axis=1).astype(np.float32),
        compactness=(area / (2 * np.pi * np.maximum(spread, 1e-3))).astype(np.float32),
        harmonics=harmonics.astype(np.complex64),
    )


def _drawn(shape: str, radius: float) -> Array:
    """A mask of the shape as the world draws it, [1, H, W]."""
    motion = torch.tensor([48.3, 47.6, radius * OUTER_RADIUS[shape], 0.0])
    form = torch.tensor([float(VERTICES[shape]), INNER_RATIO[shape]])
    return np.asarray(coverage(motion[None, None], form[None], PROTOTYPE_FRAME, PROTOTYPE_FRAME)[0].numpy())


@lru_cache(maxsize=1)
def prototypes() -> tuple[Array, Array]:
    """Features of each shape at several sizes, [shapes, sizes, 4], and the scale of each feature, [4]."""
    table = np.stack(
        [np.stack([moments(_drawn(shape, radius)).features()[0] for radius in PROTOTYPE_RADII]) for shape in SHAPES]
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
