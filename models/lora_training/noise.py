"""How much noise an example gets, and what the network is to predict: flow matching, or CogVideoX's v-prediction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch

STEPS = 1000  # timesteps that the networks were trained on


class Noised(NamedTuple):
    """The network's input, the timestep of each example (in 0..1000) and the target of its prediction."""

    latents: torch.Tensor
    timestep: torch.Tensor
    target: torch.Tensor


class NoiseLaw(Protocol):
    """From a place in 0..1 of each example (uniform) to its noise."""

    def mix(self, latents: torch.Tensor, noise: torch.Tensor, place: torch.Tensor) -> Noised: ...


@dataclass(frozen=True, kw_only=True)
class FlowMatching:
    """x = (1 - sigma) latents + sigma noise, the target is the velocity noise - latents.

    `shift` bends the uniform places as the model's own scheduler bends its steps: sigma = s u / (1 + (s - 1) u). An
    expert sees the sigmas from `low` to `high` alone.
    """

    shift: float
    low: float = 0.0
    high: float = 1.0

    def sigma(self, place: torch.Tensor) -> torch.Tensor:
        """The noise levels at places in 0..1."""
        first, last = self._unbent(self.low), self._unbent(self.high)
        bent = first + (last - first) * place
        return self.shift * bent / (1 + (self.shift - 1) * bent)

    def _unbent(self, sigma: float) -> float:
        return sigma / (self.shift - (self.shift - 1) * sigma)

    def mix(self, latents: torch.Tensor, noise: torch.Tensor, place: torch.Tensor) -> Noised:
        sigma = self.sigma(place)
        level = sigma.view(-1, *[1] * (latents.ndim - 1))
        return Noised((1 - level) * latents + level * noise, sigma * STEPS, noise - latents)


@dataclass(frozen=True, kw_only=True)
class VPrediction:
    """x = sqrt(a) latents + sqrt(1 - a) noise, at a whole timestep; the target is sqrt(a) noise - sqrt(1 - a) latents.

    `alphas_cumprod` (timesteps,) are the scheduler's a."""

    alphas_cumprod: torch.Tensor

    def mix(self, latents: torch.Tensor, noise: torch.Tensor, place: torch.Tensor) -> Noised:
        timestep = (place * len(self.alphas_cumprod)).long().clamp(max=len(self.alphas_cumprod) - 1)
        alpha = self.alphas_cumprod.to(latents.device)[timestep.to(latents.device)]
        alpha = alpha.view(-1, *[1] * (latents.ndim - 1)).to(latents.dtype)
        kept, added = alpha.sqrt(), (1 - alpha).sqrt()
        return Noised(kept * latents + added * noise, timestep, kept * noise - added * latents)


def flow_shift(config: Any, tokens: int) -> float:
    """The shift of a flow scheduler's configuration; where it follows the number of tokens, that for `tokens`."""
    if config.get("use_dynamic_shifting"):
        slope = (config.max_shift - config.base_shift) / (config.max_image_seq_len - config.base_image_seq_len)
        return math.exp(config.base_shift + slope * (tokens - config.base_image_seq_len))
    shift = config.get("flow_shift") or config.get("shift") or 1.0
    return float(shift)
