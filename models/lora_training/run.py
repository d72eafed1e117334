"""The steps of one training: the networks with their adapters, optimisers, order, generator, losses."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from models.common import fingerprint
from models.common.embeddings import Embedding
from models.interface import Checkpoint
from models.lora_training import adapter, optimiser
from models.lora_training.examples import Example, batched
from models.lora_training.family import TrainingFamily
from models.lora_training.order import BatchOrder
from models.lora_training.request import LoraTrainingRequest, TrainedLora, TrainingStep, Watchers
from models.lora_training.sampling import sample

MAX_GRADIENT_NORM = 1.0
PRIOR_SHARE = 4  # one example of so many is seen a second time, under a caption without the trigger


@dataclass(frozen=True)
class _Expert:
    """One network under training."""

    name: str
    network: Any
    parameters: list[torch.nn.Parameter]
    optimiser: Any


class Run:
    """The state of one training: networks, optimisers, order, generator and losses."""

    def __init__(
        self,
        request: LoraTrainingRequest,
        *,
        family: TrainingFamily,
        accelerator: Accelerator,
        pipe: Any,
        experts: Mapping[str, str],
        examples: list[Example],
        texts: dict[str, Embedding],
        fields: dict[str, str],
    ) -> None:
        """`pipe` has the frozen networks, `experts` names them (component to expert), `texts` has every caption."""
        self._request = request
        self._family = family
        self._accelerator = accelerator
        self._device = accelerator.device
        self._pipe = pipe
        self._examples = examples
        self._texts = texts
        self._fields = fields
        self._rng = torch.Generator("cpu").manual_seed(request.seed)
        self._order = BatchOrder([each.size for each in examples], batch_size=request.batch_size, rng=self._rng)
        self._experts = [self._expert(part, name) for part, name in experts.items()]
        self._losses: list[float] = []

    def go(self, watch: Watchers) -> None:
        """Every step that is still to be made."""
        total = self._request.steps
        while (done := len(self._losses)) < total:
            began_s = time.perf_counter()
            self._losses.append(self._step(done))
            index = done + 1
            every = self._request.sample_every
            if every and index % every == 0 and index < total:
                watch.on_sample(index, self._sample())
            seconds = time.perf_counter() - began_s
            watch.on_step(
                TrainingStep(
                    index=index, total=total, seconds=seconds, loss=self._losses[-1], snapshot=self._checkpoint
                )
            )

    def save(self, directory: Path, revision: str) -> TrainedLora:
        """The finished files."""
        request, files = self._request, {}
        for expert in self._experts:
            path = directory / f"lora.{expert.name}.safetensors"
            about = {
                **request.about,
                "base_model": request.model,
                "base_revision": revision,
                "trigger": request.trigger,
                "expert": expert.name,
                "steps": str(request.steps),
                "seed": str(request.seed),
            }
            state = adapter.weights(expert.network)
            adapter.save(state, path, rank=request.rank, alpha=request.alpha, targets=self._family.targets, about=about)
            files[expert.name] = path
        return TrainedLora(files=files, losses=tuple(self._losses))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes on from where another process was."""
        for expert in self._experts:
            prefix = f"{expert.name}.adapter."
            tensors = checkpoint.tensors
            state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            adapter.restore(expert.network, state)
            optimiser.restore_state(expert.optimiser, tensors, f"{expert.name}.optimiser.")
        self._rng.set_state(checkpoint.tensors["rng"])
        torch.set_rng_state(checkpoint.tensors["torch_rng"])
        self._order.waiting = [list(batch) for batch in checkpoint.state["waiting"]]
        self._losses = list(checkpoint.state["losses"])

    def _expert(self, part: str, name: str) -> _Expert:
        network, request = getattr(self._pipe, part), self._request
        parameters = adapter.add(
            network, targets=self._family.targets, rank=request.rank, alpha=request.alpha, seed=request.seed
        )
        if request.gradient_checkpointing:
            network.enable_gradient_checkpointing()
        made = optimiser.make(request.optimizer, parameters, request.learning_rate)
        return _Expert(name, network, parameters, self._accelerator.prepare_optimizer(made))

    def _step(self, done: int) -> float:
        """One optimiser step of the expert whose turn it is; returns its loss."""
        expert = self._experts[done % len(self._experts)]
        for group in expert.optimiser.param_groups:
            group["lr"] = self._request.learning_rate * optimiser.rate_at(done, self._request.steps)
        expert.network.train()
        with self._accelerator.autocast():
            loss = self._loss(expert, [self._examples[index] for index in self._order.next()])
        self._accelerator.backward(loss)
        self._accelerator.clip_grad_norm_(expert.parameters, MAX_GRADIENT_NORM)
        expert.optimiser.step()
        expert.optimiser.zero_grad(set_to_none=True)
        expert.network.eval()
        return float(loss.detach())

    def _loss(self, expert: _Expert, batch: list[Example]) -> torch.Tensor:
        latents = torch.cat([each.latents for each in batch])
        noise = torch.randn(latents.shape, generator=self._rng)
        place = torch.rand(len(batch), generator=self._rng)
        dropped = torch.rand(len(batch), generator=self._rng) < self._request.caption_dropout
        captions = ["" if drop else each.caption for each, drop in zip(batch, dropped, strict=True)]
        law = self._family.noise_law(self._pipe, expert.name, latents)
        noised = law.mix(latents.to(self._device), noise.to(self._device), place.to(self._device))
        predicted = self._predict(expert, noised.latents, noised.timestep, captions)
        loss = torch.nn.functional.mse_loss(predicted.float(), noised.target.float())
        if self._request.prior_weight:
            loss = loss + self._request.prior_weight * self._prior_loss(expert, noised.latents, noised.timestep)
        return loss

    def _prior_loss(self, expert: _Expert, latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        """How far the network has moved from its base where the trigger is not named, on a quarter of the batch."""
        count = max(1, len(latents) // PRIOR_SHARE)
        latents, timestep = latents[:count], timestep[:count]
        known = self._request.prior_captions or ("",)
        drawn = torch.randint(len(known), (len(latents),), generator=self._rng).tolist()
        captions = [known[at] for at in drawn]
        predicted = self._predict(expert, latents, timestep, captions)
        expert.network.disable_adapters()
        with torch.no_grad():
            wanted = self._predict(expert, latents, timestep, captions)
        expert.network.enable_adapters()
        return torch.nn.functional.mse_loss(predicted.float(), wanted.float())

    def _predict(
        self, expert: _Expert, latents: torch.Tensor, timestep: torch.Tensor, captions: list[str]
    ) -> torch.Tensor:
        text = self._on_device(batched([self._texts[caption] for caption in captions]))
        dtype = self._pipe.vae.dtype if self._device.type == "cpu" else torch.bfloat16
        return self._family.predict(self._pipe, expert.network, latents.to(dtype), timestep, text)

    def _sample(self) -> Any:
        asked = self._request.sample
        negative = None
        if self._family.generation.classifier_free_guidance and asked.guidance_scale > 1:
            negative = self._on_device(self._texts[asked.negative_prompt])
        positive = self._on_device(self._texts[asked.prompt])
        return sample(self._pipe, self._family.generation, asked, positive, negative)

    def _on_device(self, text: Embedding) -> Embedding:
        return {name: tensor.to(self._device) for name, tensor in text.items()}

    def _checkpoint(self) -> Checkpoint:
        tensors = {"rng": self._rng.get_state().clone(), "torch_rng": torch.get_rng_state()}
        for expert in self._experts:
            for key, tensor in adapter.weights(expert.network).items():
                tensors[f"{expert.name}.adapter.{key}"] = tensor
            tensors |= optimiser.state_tensors(expert.optimiser, f"{expert.name}.optimiser.")
        return Checkpoint(
            step=len(self._losses),
            total=self._request.steps,
            fingerprint=fingerprint.fingerprint(self._fields),
            fields=self._fields,
            state={"losses": list(self._losses), "waiting": [list(batch) for batch in self._order.waiting]},
            tensors=tensors,
        )
