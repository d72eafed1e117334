"""Scenes: what a clip shows, as values, and how they are drawn at random."""

from dataclasses import dataclass

import numpy as np

from training.world.palette import COLOUR_NAMES, MOTIONS, SHAPES, SPINNING_SHAPES

TWO_FIGURES_SHARE = 0.2
"""Share of scenes with two shapes."""

TRAINED_TWO_FIGURES_SHARE = 0.5
"""The same while training: two shapes are what is learned last, and nearly all that goes wrong."""

TRAINED_MOTIONS = (*MOTIONS, *MOTIONS, "spin", "spin", "diagonal", "diagonal", "bounce")
"""Motions that training draws from: those that are learned last come more often."""

GRADIENT_SHARE = 0.35
"""Share of scenes whose background is a gradient."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One shape: its colour, form and motion, each a name from `palette`."""

    colour: str
    shape: str
    motion: str


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One or two figures on a background; no two of its colours are equal."""

    figures: tuple[Figure, ...]
    background: str
    gradient: bool


@dataclass(frozen=True, kw_only=True)
class Story:
    """Two to four shots with one character: every shot has one figure of the same colour and shape."""

    shots: tuple[Scene, ...]

    @property
    def character(self) -> Figure:
        """The figure as the first shot shows it."""
        return self.shots[0].figures[0]


def _pick(rng: np.random.Generator, names: tuple[str, ...]) -> str:
    return names[int(rng.integers(len(names)))]


def random_figure(rng: np.random.Generator, colour: str, motions: tuple[str, ...] = MOTIONS) -> Figure:
    """A figure of the given colour; spinning only where spinning can be seen."""
    motion = _pick(rng, motions)
    shape = _pick(rng, SPINNING_SHAPES if motion == "spin" else SHAPES)
    return Figure(colour=colour, shape=shape, motion=motion)


def random_scene(
    rng: np.random.Generator, two_figures_share: float = TWO_FIGURES_SHARE, motions: tuple[str, ...] = MOTIONS
) -> Scene:
    """A scene with every attribute uniform, colours distinct; a motion named twice comes twice as often."""
    count = 2 if rng.random() < two_figures_share else 1
    colours = [COLOUR_NAMES[i] for i in rng.permutation(len(COLOUR_NAMES))[: count + 1]]
    figures = tuple(random_figure(rng, colour, motions) for colour in colours[1:])
    return Scene(figures=figures, background=colours[0], gradient=bool(rng.random() < GRADIENT_SHARE))


def random_story(rng: np.random.Generator, shots: int) -> Story:
    """A story of `shots` shots: one character, a background and a motion of its own in each shot."""
    colour, shape = _pick(rng, COLOUR_NAMES), _pick(rng, SHAPES)
    motions = tuple(m for m in MOTIONS if m != "spin" or shape in SPINNING_SHAPES)
    backgrounds = tuple(c for c in COLOUR_NAMES if c != colour)

    def shot() -> Scene:
        figure = Figure(colour=colour, shape=shape, motion=_pick(rng, motions))
        return Scene(figures=(figure,), background=_pick(rng, backgrounds), gradient=False)

    return Story(shots=tuple(shot() for _ in range(shots)))
