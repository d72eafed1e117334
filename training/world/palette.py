"""What exists in the world: colours, shapes and motions, with the numbers that draw them.

The values are this project's own choice: colours so far apart in RGB that a blurred edge between two of
them is never mistaken for a third over a whole shape.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

COLOURS: Final[dict[str, tuple[float, float, float]]] = {
    "red": (0.86, 0.15, 0.15),
    "orange": (0.96, 0.54, 0.10),
    "yellow": (0.96, 0.88, 0.20),
    "green": (0.16, 0.65, 0.27),
    "blue": (0.16, 0.35, 0.88),
    "purple": (0.56, 0.22, 0.72),
    "white": (0.95, 0.95, 0.95),
    "black": (0.08, 0.08, 0.08),
}
"""Colour name -> RGB in 0..1."""

COLOUR_NAMES: Final = tuple(COLOURS)

SHAPES: Final = ("circle", "square", "triangle", "star")

MOTIONS: Final = (
    "right",
    "left",
    "up",
    "down",
    "diagonal",
    "circle",
    "bounce",
    "still",
    "grow",
    "shrink",
    "spin",
)

SPINNING_SHAPES: Final = ("square", "triangle", "star")
"""Shapes whose rotation can be seen; the world never asks for a spinning circle."""

VERTICES: Final[dict[str, int]] = {"circle": 0, "square": 4, "triangle": 3, "star": 5}
"""Outer vertices of each shape; 0 means a disc."""

OUTER_RADIUS: Final[dict[str, float]] = {"circle": 1.0, "square": 1.25, "triangle": 1.5, "star": 1.55}
"""Circumscribed radius over nominal radius: chosen so that shapes of one nominal radius have similar areas."""

INNER_RATIO: Final[dict[str, float]] = {"circle": 1.0, "square": 0.70711, "triangle": 0.5, "star": 0.45}
"""Distance of the inner vertex (or of the edge's middle) from the centre, over the circumscribed radius."""

GRADIENT_SHADE: Final = 0.62
"""A gradient background runs from its colour to this fraction of it."""

BLACK_GRADIENT_END: Final = (0.30, 0.30, 0.30)
"""Black cannot get darker: its gradient runs to this grey."""


def colour_rgb(name: str) -> Array:
    """RGB in 0..1 of a named colour, shape [3]; KeyError for a name outside the palette."""
    return np.asarray(COLOURS[name], dtype=np.float32)


def gradient_end(name: str) -> Array:
    """RGB in 0..1 at the far end of a gradient background of the named colour, shape [3]."""
    if name == "black":
        return np.asarray(BLACK_GRADIENT_END, dtype=np.float32)
    return colour_rgb(name) * np.float32(GRADIENT_SHADE)
