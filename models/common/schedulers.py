"""Fresh schedulers made from the one that a model publishes, which itself is never run."""

from __future__ import annotations

from typing import Any

import numpy as np
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler


def published(scheduler: Any) -> Any:
    """A fresh copy of the published scheduler."""
    return type(scheduler).from_config(scheduler.config)


def flow_unipc(scheduler: Any) -> Any:
    """UniPC (https://arxiv.org/abs/2302.04867) of order 2 on the published flow schedule."""
    return _multistep(UniPCMultistepScheduler, scheduler)


def flow_dpm(scheduler: Any) -> Any:
    """DPM-Solver++ (https://arxiv.org/abs/2211.01095) of order 2 on the published flow schedule."""
    return _multistep(DPMSolverMultistepScheduler, scheduler)


class EvenFlowEuler(FlowMatchEulerDiscreteScheduler):  # type: ignore[misc]
    """Euler steps from noise levels that are even before the shift, the last step ending at no noise.

    The stock class puts its last level next to zero, and spends a step on it: one of the four that a distilled LoRA
    has. LoRAs for Wan in four steps are made for these levels, 1, 0.9375, 0.8333 and 0.625 at a shift of 5, and
    HoloCine samples on them (its section 8). WanPipeline cannot pass `sigmas`, so the scheduler knows its levels.
    """

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        sigmas: list[float] | None = None,
        mu: float | None = None,
        timesteps: list[float] | None = None,
    ) -> None:
        """As the stock method, with the even levels where only the number of steps is given."""
        if sigmas is None and timesteps is None and num_inference_steps is not None:
            sigmas = np.linspace(1.0, 0.0, num_inference_steps + 1)[:-1].tolist()
        super().set_timesteps(num_inference_steps, device, sigmas=sigmas, mu=mu, timesteps=timesteps)


def shifted(scheduler: Any, shift: float) -> Any:
    """The published flow scheduler on noise levels of another shift."""
    name = "flow_shift" if "flow_shift" in scheduler.config else "shift"
    return type(scheduler).from_config(scheduler.config, **{name: shift})


def flow_euler(scheduler: Any) -> Any:
    """Euler steps on the published flow schedule."""
    if isinstance(scheduler, FlowMatchEulerDiscreteScheduler):
        return EvenFlowEuler.from_config(scheduler.config)
    schedule = _flow_schedule(scheduler)
    return EvenFlowEuler(num_train_timesteps=schedule["num_train_timesteps"], shift=schedule["flow_shift"])


def _multistep(solver: Any, scheduler: Any) -> Any:
    if isinstance(scheduler, solver):
        return published(scheduler)
    return solver(**_flow_schedule(scheduler), prediction_type="flow_prediction", use_flow_sigmas=True, solver_order=2)


def _flow_schedule(scheduler: Any) -> dict[str, Any]:
    """Training timesteps and shift; multistep solvers call the shift `flow_shift`, the Euler scheduler `shift`."""
    config = scheduler.config
    shift = config["flow_shift"] if "flow_shift" in config else config["shift"]
    return {"num_train_timesteps": config["num_train_timesteps"], "flow_shift": shift}
