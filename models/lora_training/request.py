"""What a training is asked to do and what it makes. No torch: the agent's supervisor imports this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from models.catalog.training import CameraMove
from models.interface import Checkpoint, GenerationRequest, Phase

BasePrecision = Literal["full", "int8", "nf4"]
OptimizerName = Literal["adamw", "adamw8bit"]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One reference image on the local disk and what it shows, in words that name the trigger."""

    path: Path
    caption: str


@dataclass(frozen=True, kw_only=True)
class LoraTrainingRequest:
    """Everything that decides the result.

    `width` x `height` give the pixels an image is scaled to, whatever its shape. `steps` counts optimiser steps; a
    model of two experts trains them in turn. `alpha` scales the LoRA by alpha / rank. `caption_dropout` is the share of
    examples that are shown without their caption. `clip_frames`: for how many frames an image is held, 1 for a picture;
    `camera_moves`: the moves with which each image is filmed for those, and the words that its caption gets for each.
    `prior_weight` weighs the loss that holds the network to the base's
    own predictions on `prior_captions`, which do not name the trigger. `base` and `optimizer` say what the frozen
    weights and the optimiser's moments are kept in. `sample`: what is generated every `sample_every` steps.
    """

    model: str
    references: tuple[Reference, ...]
    trigger: str
    width: int
    height: int
    steps: int
    rank: int
    alpha: float
    learning_rate: float
    batch_size: int
    caption_dropout: float
    clip_frames: int = 1
    camera_moves: Mapping[CameraMove, str] = field(default_factory=dict)
    prior_weight: float = 0.0
    prior_captions: tuple[str, ...] = ()
    base: BasePrecision = "full"
    optimizer: OptimizerName = "adamw"
    gradient_checkpointing: bool = False
    seed: int
    sample: GenerationRequest
    sample_every: int = 0
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingStep:
    """One finished optimiser step, `index` of `total` (1-based), its loss and seconds; `snapshot` as in `Step`."""

    index: int
    total: int
    seconds: float
    loss: float
    snapshot: Callable[[], Checkpoint] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Watchers:
    """What a training tells while it runs. `on_sample` gets the step and the frames of a sample, uint8 (f, h, w, 3).

    Whatever `on_step` raises ends the training after that step."""

    on_step: Callable[[TrainingStep], None]
    on_phase: Callable[[Phase], None]
    on_sample: Callable[[int, Any], None]


@dataclass(frozen=True, kw_only=True)
class TrainedLora:
    """The files, by the expert each is for (`high_noise` where there is one network), and the loss of every step."""

    files: Mapping[str, Path]
    losses: tuple[float, ...]
