"""Where a figure is in every frame: centre, nominal radius and angle, for each motion.

Places, sizes, speeds and phases, of which a caption says nothing, are left to chance. Where it leaves open which of two
ways, the noise would have to choose one before anything else is settled: so figures go round and spin clockwise, and
those that go diagonally go down to the right.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.world.palette import OUTER_RADIUS
from training.world.scene import Figure, Scene

Array = npt.NDArray[np.float32]
MARGIN = 0.02
"""Free border kept around a figure, as a fraction of the frame's shorter side: the judge reads the background there."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """The part of the frame a figure stays in, pixels."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, kw_only=True)
class Track:
    """Per frame, each of shape [frames]: centre x and y and nominal radius in pixels, angle in radians."""

    x: Array
    y: Array
    radius: Array
    angle: Array


@dataclass(frozen=True, kw_only=True)
class _Room:
    """The frame as a motion sees it: where the centre may go, how far, for how long."""

    low: Array
    high: Array
    reach: float
    progress: Array
    frames: int
    scale: float
    rng: np.random.Generator

    @property
    def size(self) -> Array:
        return np.asarray(self.high - self.low, dtype=np.float32)

    def place(self, offsets: Array) -> Array:
        """Shift offsets [frames, 2] to a random place at which all of them stay in the room."""
        low, high = self.low - offsets.min(0), self.high - offsets.max(0)
        start = low + self.rng.random(2).astype(np.float32) * np.maximum(high - low, 0)
        return np.asarray(offsets + start, dtype=np.float32)


def _linear(direction: tuple[int, int]) -> Callable[[_Room], Array]:
    def offsets(room: _Room) -> Array:
        wanted = room.rng.uniform(0.34, 0.6) * room.scale
        step = np.asarray(direction, dtype=np.float32)
        fits = min(room.size[axis] for axis in (0, 1) if direction[axis])
        return np.asarray(room.progress[:, None] * step * min(wanted, fits), dtype=np.float32)

    return offsets


def _diagonal(room: _Room) -> Array:
    direction = room.rng.uniform(0.85, 1.0, size=2)
    distance = min(room.rng.uniform(0.28, 0.45) * room.scale, float(room.size.min()))
    return (room.progress[:, None] * direction[None] * distance).astype(np.float32)


def _circle(room: _Room) -> Array:
    radius = min(room.rng.uniform(0.16, 0.22) * room.scale, float(room.size.min()) / 2)
    turns = np.clip((room.frames - 1) / 32, 0.68, 1.4) * room.rng.uniform(0.95, 1.1)
    angle = 2 * np.pi * (room.progress * turns + room.rng.random())
    return (radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)).astype(np.float32)


def _bounce(room: _Room) -> Array:
    height = min(room.rng.uniform(0.24, 0.36) * room.scale, float(room.size[1]))
    arcs = np.clip((room.frames - 1) / 16, 1.3, 3.0) * room.rng.uniform(0.95, 1.1)
    phase = room.rng.random()
    y = -height * np.abs(np.sin(np.pi * (room.progress * arcs + phase)))
    return np.stack([np.zeros_like(y), y], axis=1).astype(np.float32)


def _in_place(room: _Room) -> Array:
    return np.zeros((room.frames, 2), dtype=np.float32)


_OFFSETS: dict[str, Callable[[_Room], Array]] = {
    "right": _linear((1, 0)),
    "left": _linear((-1, 0)),
    "down": _linear((0, 1)),
    "up": _linear((0, -1)),
    "diagonal": _diagonal,
    "circle": _circle,
    "bounce": _bounce,
    "still": _in_place,
    "grow": _in_place,
    "shrink": _in_place,
    "spin": _in_place,
}


def _radii(motion: str, radius: float, progress: Array, rng: np.random.Generator) -> Array:
    if motion not in ("grow", "shrink"):
        return np.full_like(progress, radius)
    ends = radius * rng.uniform(0.52, 0.64), radius * rng.uniform(1.1, 1.25)
    first, last = ends if motion == "grow" else ends[::-1]
    return np.asarray(first + (last - first) * progress, dtype=np.float32)


def _angles(motion: str, frames: int, rng: np.random.Generator) -> Array:
    if motion != "spin":
        return np.zeros(frames, dtype=np.float32)
    # A star looks the same every 72 degrees and a latent frame holds four frames: a fast spin looks like its reverse.
    degrees = np.clip(5 * (frames - 1), 80, 120) * rng.uniform(0.9, 1.1)
    return np.linspace(0, np.deg2rad(degrees), frames, dtype=np.float32)


def figure_track(figure: Figure, box: Box, frames: int, radius: float, rng: np.random.Generator) -> Track:
    """The track of a figure of nominal `radius` (pixels) that stays inside `box` for `frames` frames."""
    progress = np.linspace(0, 1, frames, dtype=np.float32)
    radii = _radii(figure.motion, radius, progress, rng)
    reach = float(radii.max()) * OUTER_RADIUS[figure.shape]
    low = np.asarray([box.left + reach, box.top + reach], dtype=np.float32)
    high = np.asarray([box.right - reach, box.bottom - reach], dtype=np.float32)
    scale = min(box.right - box.left, box.bottom - box.top)
    room = _Room(
        low=low, high=np.maximum(high, low), reach=reach, progress=progress, frames=frames, scale=scale, rng=rng
    )
    centres = room.place(_OFFSETS[figure.motion](room))
    return Track(x=centres[:, 0], y=centres[:, 1], radius=radii, angle=_angles(figure.motion, frames, rng))


def _boxes(count: int, height: int, width: int) -> list[Box]:
    """The frame, or for two figures its halves in the order in which they are named: left to right, or if the frame is
    taller than wide from above. Were it left to chance, the noise would have to choose among four layouts of one
    caption before it is settled which figure a motion is of, and figures would take each other's."""
    margin = MARGIN * min(height, width)
    left, top, right, bottom = margin, margin, width - margin, height - margin
    if count == 1:
        return [Box(left=left, top=top, right=right, bottom=bottom)]
    if width >= height:
        return [
            Box(left=left, top=top, right=width / 2 - 1, bottom=bottom),
            Box(left=width / 2 + 1, top=top, right=right, bottom=bottom),
        ]
    return [
        Box(left=left, top=top, right=right, bottom=height / 2 - 1),
        Box(left=left, top=height / 2 + 1, right=right, bottom=bottom),
    ]


def random_radius(count: int, height: int, width: int, rng: np.random.Generator) -> float:
    """Nominal radius in pixels for a scene of `count` figures in a frame of the given size."""
    side = min(height, width)
    return float(rng.uniform(0.105, 0.15) * side if count == 1 else rng.uniform(0.08, 0.1) * side)


def scene_tracks(
    scene: Scene, frames: int, height: int, width: int, rng: np.random.Generator, radius: float | None = None
) -> list[Track]:
    """One track a figure; two figures keep to two halves of the frame, the first to the left one (in a tall frame the
    upper one). `radius` fixes the nominal radius (pixels)."""
    count = len(scene.figures)
    boxes = _boxes(count, height, width)
    return [
        figure_track(figure, box, frames, radius or random_radius(count, height, width, rng), rng)
        for figure, box in zip(scene.figures, boxes, strict=True)
    ]
