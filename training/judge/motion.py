"""What a figure does: rules over its track of centres, sizes and angle."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.judge.shape import Moments

Array = npt.NDArray[np.float32]

STILL_RANGE = 0.055
"""Range of the centre, over the frame's shorter side, under which a figure stays in its place."""

GROWTH = 1.4
"""Ratio of linear size, last to first, from which a figure grows; the world's growing figures reach 1.7 to 2.4."""

TURN = np.deg2rad(50.0)
"""Turning over the clip from which a figure spins; the world's spin turns by 72 degrees or more."""

CIRCLE_WINDING = np.deg2rad(170.0)
"""Total change of the direction of movement, one way round, from which a path is a circle."""

STRAIGHT = 0.8
"""Net over total path length from which a path is a line."""

AXIS_RATIO = 0.45
"""Smaller over larger component of a straight movement from which it is diagonal; the world draws 0.85 or more."""


@dataclass(frozen=True, kw_only=True)
class Movement:
    """Numbers a motion is read from; lengths over the frame's shorter side, angles in radians."""

    range_x: float
    range_y: float
    net_x: float
    net_y: float
    path: float
    winding: float
    growth: float
    turning: float


def _smooth(track: Array) -> Array:
    """Mean of three neighbours along the first axis; the ends are kept."""
    smooth = track.copy()
    if len(track) > 2:
        smooth[1:-1] = (track[:-2] + track[1:-1] + track[2:]) / 3
    return smooth


def _winding(track: Array) -> float:
    steps = np.diff(track, axis=0)
    headings = np.arctan2(steps[:, 1], steps[:, 0])
    turns = np.angle(np.exp(1j * np.diff(headings)))
    # A reversal is no turn: a bounce flips its heading by half a circle from one frame to the next.
    turns = turns[np.abs(turns) < np.deg2rad(100)]
    return float(abs(turns.sum()))


def measure(figure: Moments, turning: float, side: float) -> Movement:
    """The movement of a figure in a frame whose shorter side has `side` pixels."""
    track = _smooth(figure.centroid) / side
    sizes = np.sqrt(np.maximum(figure.area, 1e-3))
    ends = max(1, len(track) // 12)
    net = track[-ends:].mean(0) - track[:ends].mean(0)
    spread = track.max(0) - track.min(0)
    moved = float(np.linalg.norm(np.diff(track, axis=0), axis=1).sum())
    return Movement(
        range_x=float(spread[0]),
        range_y=float(spread[1]),
        net_x=float(net[0]),
        net_y=float(net[1]),
        path=moved,
        winding=_winding(track),
        growth=float(np.median(sizes[-ends:]) / np.median(sizes[:ends])),
        turning=turning,
    )


def _straight(movement: Movement) -> str:
    across, along = abs(movement.net_x), abs(movement.net_y)
    if min(across, along) > AXIS_RATIO * max(across, along):
        return "diagonal"
    if across > along:
        return "right" if movement.net_x > 0 else "left"
    return "down" if movement.net_y > 0 else "up"


def read_motion(movement: Movement) -> str:
    """The world's name for the movement, or "unclear"."""
    if max(movement.range_x, movement.range_y) < STILL_RANGE:
        if movement.growth > GROWTH:
            return "grow"
        if movement.growth < 1 / GROWTH:
            return "shrink"
        return "spin" if movement.turning > TURN else "still"
    net = float(np.hypot(movement.net_x, movement.net_y))
    if net > STRAIGHT * movement.path:
        return _straight(movement)
    if movement.range_x < 0.35 * movement.range_y:
        return "bounce"
    if movement.winding > CIRCLE_WINDING:
        return "circle"
    return "unclear"
