"""Makes a stock diffusers pipeline stoppable after any step and resumable in another process, bit for bit.

Every pipeline used here tests `self.interrupt` once a turn of its denoising loop and skips the turn if it is true.
So a run goes on after step k like this: prepare everything as in the uninterrupted run (same seed, same draws, same
image conditioning), put the kept latents in place of the fresh noise, skip k turns, and before the next one put back
the state of the scheduler and of the generator. To stop, `callback_on_step_end` raises: the pipelines' own
`_interrupt` would still decode.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from models.common import scheduler_state


@dataclass(frozen=True, kw_only=True)
class ResumePoint:
    """The state of one denoising loop after `steps` of its turns."""

    steps: int
    latents: torch.Tensor
    generator: torch.Tensor
    scheduler: dict[str, Any]
    scheduler_tensors: dict[str, torch.Tensor]


class ResumableMixin:
    """Goes in front of a pipeline class; see `resumable`."""

    scheduler: Any
    _point: ResumePoint | None = None
    _generator: torch.Generator | None = None
    _turns_to_skip = 0
    run_device: torch.device | None = None
    turn_started_s = 0.0
    """`time.perf_counter` at the start of the turn under way."""

    def resume_at(self, point: ResumePoint | None, generator: torch.Generator) -> None:
        """The next call begins after `point`, or from the start if that is None."""
        self._point, self._generator = point, generator
        self._turns_to_skip = point.steps if point else 0

    def prepare_latents(self, *args: Any, **kwargs: Any) -> Any:
        """The stock preparation; the latents (first of what it returns) are exchanged for the kept ones."""
        prepared = super().prepare_latents(*args, **kwargs)  # type: ignore[misc]
        if self._point is None:
            return prepared
        fresh, *conditions = prepared if isinstance(prepared, tuple) else (prepared,)
        latents = self._point.latents.to(fresh.device, fresh.dtype, copy=True)
        return (latents, *conditions) if isinstance(prepared, tuple) else latents

    @property
    def interrupt(self) -> bool:
        """True for the turns that the earlier process has done; asked once a turn by the stock loop."""
        if self._turns_to_skip > 0:
            self._turns_to_skip -= 1
            return True
        self.restore_point()
        self.turn_started_s = time.perf_counter()
        return False

    def restore_point(self) -> None:
        """Puts the kept scheduler and generator state back, once. (After a loop all of whose turns were skipped,
        the caller does so: decoding may draw from the generator.)"""
        point, self._point = self._point, None
        if point is None or self._generator is None:
            return
        scheduler_state.restore(self.scheduler, point.scheduler, point.scheduler_tensors, self._execution_device)
        self._generator.set_state(point.generator)

    @property
    def _execution_device(self) -> torch.device:
        """Where the loop runs. The stock answer is where the first network lies, which may just visit the GPU."""
        return self.run_device or super()._execution_device  # type: ignore[misc]


@cache
def resumable(pipeline_class: type) -> type:
    """The resumable subclass of a stock pipeline class."""
    return type(f"Resumable{pipeline_class.__name__}", (ResumableMixin, pipeline_class), {})


def capture_point(pipe: Any, steps: int, latents: torch.Tensor, generator: torch.Generator) -> ResumePoint:
    """Copies the state of `pipe`'s running loop off the device; called from `callback_on_step_end`."""
    attributes, tensors = scheduler_state.capture(pipe.scheduler, "scheduler")
    return ResumePoint(
        steps=steps,
        latents=latents.detach().to("cpu", copy=True),
        generator=generator.get_state(),
        scheduler=attributes,
        scheduler_tensors=tensors,
    )
