"""Trains a LoRA: encode once, then small steps on cached latents, to be stopped and resumed at any of them.

On a CPU everything is float32 and the same bits come out of the same request, resumed or not. The generator that draws
order, noise and dropped captions is the run's own, and part of every checkpoint.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import torch
from accelerate import Accelerator

from models.common import fingerprint
from models.common.embeddings import Embedding
from models.interface import Checkpoint
from models.lora_training.base import Base
from models.lora_training.buckets import bucket_of
from models.lora_training.camera import Take, filmed, takes
from models.lora_training.examples import Example, fitted_pixels, open_upright
from models.lora_training.family import TrainingFamily
from models.lora_training.identity import fields_of
from models.lora_training.request import LoraTrainingRequest, TrainedLora, Watchers
from models.lora_training.run import Run

if TYPE_CHECKING:
    from models.catalog import ModelSpec


class LoraTrainer:
    """Trains for one model on one device. An object trains once."""

    def __init__(self, *, spec: ModelSpec, family: TrainingFamily, folder: Path, device: str) -> None:
        self.spec = spec
        self._family = family
        self._base = Base(family=family.generation, folder=folder, device=torch.device(device))
        on_gpu = self._base.device.type == "cuda"
        self._accelerator = Accelerator(cpu=not on_gpu, mixed_precision="bf16" if on_gpu else "no")

    def train(
        self, request: LoraTrainingRequest, *, directory: Path, resume: Checkpoint | None, watch: Watchers
    ) -> TrainedLora:
        """Trains, and writes one file an expert into `directory`.

        Raises `CheckpointMismatch`, `UnsupportedRequest`, `WeightsError`, and whatever `watch.on_step` raises."""
        fields = fields_of(request, revision=self._base.revision, device=self._base.device)
        if resume is not None:
            fingerprint.require_match(resume, fields)
        watch.on_phase("encode")
        texts = self._encode_texts(request)
        vae_pipe = self._base.vae()
        examples = self._encode_images(request, vae_pipe)
        watch.on_phase("train")
        pipe = self._base.denoisers(vae_pipe, request.base)
        run = Run(
            request,
            family=self._family,
            accelerator=self._accelerator,
            pipe=pipe,
            experts=self._base.experts,
            examples=examples,
            texts=texts,
            fields=fields,
        )
        if resume is not None:
            run.restore(resume)
        run.go(watch)
        return run.save(directory, self._base.revision)

    def _encode_texts(self, request: LoraTrainingRequest) -> dict[str, Embedding]:
        """Every text that training or a sample needs, on the CPU; the empty one stands for a dropped caption."""
        captions = {take.caption for take in takes(request)}
        texts = {"", request.sample.prompt, request.sample.negative_prompt, *captions, *request.prior_captions}
        pipe = self._base.text()
        with torch.no_grad():
            encoded = {text: self._family.generation.encode(pipe, text, None) for text in sorted(texts)}
        kept = {text: {name: value.to("cpu") for name, value in each.items()} for text, each in encoded.items()}
        del pipe, encoded
        self._base.free()
        return kept

    def _encode_images(self, request: LoraTrainingRequest, pipe: Any) -> list[Example]:
        rng = np.random.default_rng(request.seed)
        opened = lru_cache(maxsize=1)(open_upright)  # a picture's takes follow each other
        return [self._encode_take(request, take, opened(take.path), pipe, rng) for take in takes(request)]

    def _encode_take(
        self, request: LoraTrainingRequest, take: Take, image: PIL.Image.Image, pipe: Any, rng: np.random.Generator
    ) -> Example:
        frames = request.clip_frames
        pixels = request.width * request.height
        size = bucket_of(image.width, image.height, pixels=pixels, multiple_of=self._step_of_sides())
        if take.move is None:
            shown = fitted_pixels(image, size, frames=frames)
        else:
            shown = filmed(image, size, take.move, frames=frames, rng=rng)
        with torch.no_grad():
            latents = self._family.latents(pipe, shown).to("cpu", torch.float32)
        return Example(latents, take.caption, size)

    def _step_of_sides(self) -> int:
        """Pixels that sides are whole multiples of: what the model's own size rule says, or its VAE's factor twice."""
        rule = self.spec.size_rule
        return rule.multiple_of if rule is not None else 2 * self.spec.arch.vae.spatial
