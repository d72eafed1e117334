"""Where a generation of one or several shots stands, and the checkpoints that say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from models.common.fingerprint import fingerprint
from models.common.resumable import ResumePoint, capture_point
from models.interface import Checkpoint, Step


class Progress:
    """Counts the steps of all shots, reports them, and takes and reads checkpoints.

    A checkpoint holds the final latents of the shots that are done (their frames are decoded again on resuming: that
    is far cheaper than keeping them) and the state of the loop under way.
    """

    def __init__(
        self,
        *,
        fields: Mapping[str, str],
        steps_per_shot: int,
        num_shots: int,
        resume: Checkpoint | None,
        on_step: Callable[[Step], None],
    ) -> None:
        self._fields = dict(fields)
        self._steps_per_shot = steps_per_shot
        self._total = steps_per_shot * num_shots
        self._resume = resume
        self._on_step = on_step
        self._finished: dict[str, torch.Tensor] = {}

    def finished_latents(self, shot: int, rng: torch.Generator) -> torch.Tensor | None:
        """The final latents of a shot that the resumed checkpoint has done; `rng` is put where it then was."""
        if self._resume is None or shot >= self._resume.state["shot"]:
            return None
        kept: dict[str, torch.Tensor] = {name: self._resume.tensors[name] for name in _names_of(shot)}
        self._finished |= kept
        latents_name, rng_name = _names_of(shot)
        rng.set_state(kept[rng_name])
        return kept[latents_name]

    def resume_point(self, shot: int) -> ResumePoint | None:
        """Where the denoising of `shot` goes on; None means from its start."""
        if self._resume is None or shot != self._resume.state["shot"]:
            return None
        state, tensors = self._resume.state, self._resume.tensors
        return ResumePoint(
            steps=state["steps"],
            latents=tensors["latents"],
            generator=tensors["generator"],
            scheduler=state["scheduler"],
            scheduler_tensors=dict(tensors),
        )

    def finish_shot(self, shot: int, latents: torch.Tensor, rng: torch.Generator) -> None:
        """Keeps a shot's final latents and generator state for the checkpoints to come."""
        for name, tensor in zip(_names_of(shot), (latents, rng.get_state()), strict=True):
            self._finished[name] = tensor.detach().to("cpu", copy=True)

    def step_done(
        self, pipe: Any, shot: int, steps: int, latents: torch.Tensor, rng: torch.Generator, seconds: float
    ) -> None:
        """Reports step `steps` (1-based) of `shot`; called inside the loop, while its state is the step's."""
        index = shot * self._steps_per_shot + steps

        def snapshot() -> Checkpoint:
            return self._checkpoint(index, shot, capture_point(pipe, steps, latents, rng))

        self._on_step(Step(index=index, total=self._total, seconds=seconds, snapshot=snapshot))

    def _checkpoint(self, index: int, shot: int, point: ResumePoint) -> Checkpoint:
        return Checkpoint(
            step=index,
            total=self._total,
            fingerprint=fingerprint(self._fields),
            fields=self._fields,
            state={"shot": shot, "steps": point.steps, "scheduler": point.scheduler},
            tensors={
                "latents": point.latents,
                "generator": point.generator,
                **point.scheduler_tensors,
                **self._finished,
            },
        )


def _names_of(shot: int) -> tuple[str, str]:
    return f"finished.{shot}.latents", f"finished.{shot}.generator"
