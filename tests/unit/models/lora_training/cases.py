"""Trainings on tiny random weights: every family that can be trained, and a few images to train on."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from models import catalog, tiny
from models.interface import Checkpoint, GenerationRequest, Phase
from models.lora_training.request import LoraTrainingRequest, Reference, TrainedLora, TrainingStep, Watchers
from models.lora_training.trainer import LoraTrainer

TRIGGER = "zxmaria"
BUILDS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "wan-two-experts": ("wan2.2-t2v-a14b", tiny.wan),
    "wan-one-expert": ("wan-mini", lambda folder: tiny.wan(folder, two_experts=False, euler=True)),
    "wan-ti2v": ("wan2.2-ti2v-5b", tiny.wan_ti2v),
    "hunyuan-video": ("hunyuan-video", tiny.hunyuan_video),
    "cogvideox": ("cogvideox-5b", tiny.cogvideox),
    "ltx": ("ltx-video", tiny.ltx),
}


def images(folder: Path, count: int = 5) -> tuple[Reference, ...]:
    """`count` images of two shapes, with captions."""
    references = []
    for index in range(count):
        size = (96, 64) if index % 2 else (64, 64)
        pixels = np.random.default_rng(index).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        path = folder / f"{index}.png"
        PIL.Image.fromarray(pixels).save(path)
        references.append(Reference(path=path, caption=f"{TRIGGER} in picture {index}"))
    return tuple(references)


def request(model: str, references: tuple[Reference, ...], **changes: Any) -> LoraTrainingRequest:
    """A training of six steps at 64 x 64 pixels."""
    sample = GenerationRequest(
        model=model,
        prompt=f"{TRIGGER} moving left",
        width=64,
        height=64,
        num_frames=5,
        fps=8,
        num_inference_steps=2,
        guidance_scale=3.0,
        seed=1,
    )
    asked = LoraTrainingRequest(
        model=model,
        references=references,
        trigger=TRIGGER,
        width=64,
        height=64,
        steps=6,
        rank=4,
        alpha=4,
        learning_rate=1e-2,
        batch_size=2,
        caption_dropout=0.2,
        prior_weight=0.5,
        prior_captions=("a blue square",),
        seed=5,
        sample=sample,
    )
    return replace(asked, **changes)


@dataclass
class Watched:
    """What a training told, and where it is to be stopped."""

    stop_after: int | None = None
    steps: list[TrainingStep] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    samples: dict[int, Any] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None

    def watchers(self) -> Watchers:
        return Watchers(on_step=self._step, on_phase=self.phases.append, on_sample=self.samples.__setitem__)

    def _step(self, step: TrainingStep) -> None:
        self.steps.append(step)
        if step.index == self.stop_after:
            self.checkpoint = step.snapshot()
            raise Stopped


class Stopped(Exception):
    """The test's stop."""


def trainer(model: str, folder: Path) -> LoraTrainer:
    spec = catalog.get(model)
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    family = importlib.import_module(f"{spec.module}.training").training_family(index)
    return LoraTrainer(spec=spec, family=family, folder=folder, device="cpu")


def train(
    folder: Path, asked: LoraTrainingRequest, out: Path, *, resume: Checkpoint | None = None, watched: Watched
) -> TrainedLora:
    out.mkdir(exist_ok=True)
    return trainer(asked.model, folder).train(asked, directory=out, resume=resume, watch=watched.watchers())
