"""Reading a whole clip, and comparing it with the scene that was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.judge.motion import measure, read_motion
from training.judge.pixels import figure_colours, figure_masks, read_backdrops
from training.judge.shape import Moments, moments, read_shape, read_turning
from training.world.scene import Figure, Scene, Story

ATTRIBUTES = ("colour", "background", "shape", "motion")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a clip shows; figures from the largest to the smallest."""

    background: str
    gradient: bool
    figures: tuple[Figure, ...]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Which attributes of a scene a clip shows rightly; a wrong number of figures fails colour, shape and motion."""

    colour: bool
    background: bool
    shape: bool
    motion: bool

    @property
    def all_right(self) -> bool:
        """Whether every attribute is right."""
        return self.colour and self.background and self.shape and self.motion


def _read_figure(colour: str, figure: Moments, side: int) -> Figure:
    shape = read_shape(figure)
    movement = measure(figure, read_turning(figure, shape), float(side))
    return Figure(colour=colour, shape=shape, motion=read_motion(movement))


def read_clips(clips: Tensor) -> list[Reading]:
    """Read frames [B, F, H, W, 3] in 0..1, on the device where they are."""
    backdrops = read_backdrops(clips)
    colours = figure_colours(clips, backdrops)
    masks = [figure_masks(*clip) for clip in zip(clips, backdrops.pixels, colours, strict=True) if clip[-1]]
    figures = iter(moments(torch.cat(masks)) if masks else [])
    side = min(clips.shape[2:4])
    return [
        Reading(
            background=background,
            gradient=gradient,
            figures=tuple(_read_figure(colour, next(figures), side) for colour in seen),
        )
        for background, gradient, seen in zip(backdrops.colours, backdrops.gradients, colours, strict=True)
    ]


def read_clip(frames: npt.NDArray[np.uint8]) -> Reading:
    """Read uint8 frames [F, H, W, 3], F >= 5.

    Raises:
        ValueError: frames of another type or shape.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise ValueError(f"expected uint8 frames [F, H, W, 3], got {frames.dtype} {frames.shape}")
    return read_clips(torch.from_numpy(frames.astype(np.float32))[None] / 255)[0]


def judge(scene: Scene, reading: Reading) -> Verdict:
    """Compare a reading with its scene; figures are matched by colour."""
    asked = {figure.colour: figure for figure in scene.figures}
    seen = {figure.colour: figure for figure in reading.figures}
    same = asked.keys() == seen.keys()
    counted = len(asked) == len(seen)

    def matches(attribute: str) -> bool:
        pairs = (
            zip(scene.figures, reading.figures, strict=True) if not same else ((f, seen[c]) for c, f in asked.items())
        )
        return all(getattr(wanted, attribute) == getattr(shown, attribute) for wanted, shown in pairs)

    return Verdict(
        colour=same,
        background=scene.background == reading.background,
        shape=counted and matches("shape"),
        motion=counted and matches("motion"),
    )


@dataclass(frozen=True, kw_only=True)
class StoryVerdict:
    """One verdict a shot, and whether the character (colour and shape) is the one asked for in every shot."""

    shots: tuple[Verdict, ...]
    same_character: bool


def judge_story(story: Story, frames: npt.NDArray[np.uint8], starts: Sequence[int]) -> StoryVerdict:
    """Judge each shot of uint8 frames [F, H, W, 3]; shot s begins at frame starts[s]."""
    bounds = [*starts, len(frames)]
    verdicts = tuple(
        judge(shot, read_clip(frames[begin:end]))
        for shot, begin, end in zip(story.shots, bounds, bounds[1:], strict=False)
    )
    return StoryVerdict(shots=verdicts, same_character=all(v.colour and v.shape for v in verdicts))
