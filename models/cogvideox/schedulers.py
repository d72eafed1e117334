"""CogVideoX's two samplers."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXDPMScheduler

from models.common.schedulers import published as fresh_copy


class ResumableDPMScheduler(CogVideoXDPMScheduler):  # type: ignore[misc]
    """`CogVideoXDPMScheduler` that keeps its history itself.

    The stock pipeline holds the previous step's prediction in a local variable, out of a checkpoint's reach, and after
    a resume passes None for it. Kept here, it is part of the scheduler's state, and the kept one takes None's place.
    """

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        super().set_timesteps(num_inference_steps, device)
        self.previous_prediction: torch.Tensor | None = None

    def step(
        self,
        model_output: torch.Tensor,
        old_pred_original_sample: torch.Tensor | None,
        timestep: int,
        timestep_back: int,
        sample: torch.Tensor,
        eta: float = 0.0,
        use_clipped_model_output: bool = False,
        generator: torch.Generator | None = None,
        variance_noise: torch.Tensor | None = None,
        return_dict: bool = False,
    ) -> Any:
        """The stock step; names as there, because the pipeline looks for `generator` and `eta` in the signature."""
        if old_pred_original_sample is None:
            old_pred_original_sample = self.previous_prediction
        result = super().step(
            model_output,
            old_pred_original_sample,
            timestep,
            timestep_back,
            sample,
            eta=eta,
            use_clipped_model_output=use_clipped_model_output,
            generator=generator,
            variance_noise=variance_noise,
            return_dict=return_dict,
        )
        self.previous_prediction = result[1]
        return result


def published(scheduler: Any) -> Any:
    """The published sampler, in its resumable form."""
    return dpm(scheduler) if isinstance(scheduler, CogVideoXDPMScheduler) else fresh_copy(scheduler)


def dpm(scheduler: Any) -> Any:
    """DPM-Solver++ as CogVideoX has it."""
    return ResumableDPMScheduler.from_config(scheduler.config)


def ddim(scheduler: Any) -> Any:
    """DDIM as CogVideoX has it."""
    return CogVideoXDDIMScheduler.from_config(scheduler.config)
