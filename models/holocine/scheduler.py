"""The schedule HoloCine samples with: Euler steps on flow matching (section 8)."""

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

SHIFT = 5.0
"""Section 8; Wan 2.2 itself uses 12."""
BOUNDARY_RATIO = 0.875
"""The high-noise expert runs while t >= 875 (section 8; also in Wan 2.2 T2V's model_index.json)."""


class HoloCineScheduler(FlowMatchEulerDiscreteScheduler):  # type: ignore[misc]  # diffusers has no types
    """`FlowMatchEulerDiscreteScheduler` on the grid u = 1 - i/N, sigma = shift * u / (1 + (shift - 1) * u).

    The stock grid for a number of steps ends elsewhere and is shifted twice; stock pipelines cannot pass `sigmas`,
    so the scheduler itself knows its grid.
    """

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: str | torch.device | None = None,
        sigmas: list[float] | None = None,
        mu: float | None = None,
        timesteps: list[float] | None = None,
    ) -> None:
        """As the stock method; with neither `sigmas` nor `timesteps`, HoloCine's grid of `num_inference_steps`."""
        if sigmas is None and timesteps is None and num_inference_steps is not None:
            sigmas = np.linspace(1.0, 0.0, num_inference_steps + 1)[:-1].tolist()
        super().set_timesteps(num_inference_steps, device=device, sigmas=sigmas, mu=mu, timesteps=timesteps)
