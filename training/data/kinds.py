"""Which clips each model is trained on, and how often."""

from typing import Final

from training.data.stream import ClipKind

SCENES: Final[tuple[tuple[ClipKind, float], ...]] = (
    (ClipKind(frames=33, height=128, width=128), 0.54),
    (ClipKind(frames=17, height=128, width=128), 0.34),
    (ClipKind(frames=33, height=96, width=160), 0.06),
    (ClipKind(frames=33, height=160, width=96), 0.06),
)
"""For text to video and image to video."""


def _story(frames: int, *starts: int, height: int = 128, width: int = 128) -> ClipKind:
    return ClipKind(frames=frames, height=height, width=width, starts=starts)


STORIES: Final[tuple[tuple[ClipKind, float], ...]] = (
    (_story(49, 0, 25), 0.3),
    (_story(49, 0, 17, 33), 0.3),
    (_story(49, 0, 13, 25, 37), 0.1),
    (_story(81, 0, 21, 41, 61), 0.3),
)
"""For multi-shot: even cuts, as the pipeline makes them when it is given none."""
