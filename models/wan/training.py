"""Training LoRAs for Wan 2.2's text-to-video models: both experts of A14B and `wan-mini`, the network of TI2V-5B."""

from __future__ import annotations

from typing import Any

import torch

from models.common.embeddings import Embedding
from models.common.family import Family
from models.lora_training.noise import FlowMatching, flow_shift
from models.wan.family import WanFamily


class WanTraining:
    """See `models.lora_training.family.TrainingFamily`."""

    targets = ("to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2")

    def __init__(self, *, boundary: float | None, expand_timesteps: bool) -> None:
        self.generation: Family = WanFamily(text=True, image=False, two_experts=boundary is not None)
        self._boundary = boundary
        self._expand_timesteps = expand_timesteps

    def latents(self, pipe: Any, pixels: torch.Tensor) -> torch.Tensor:
        """(1, z_dim, f, h, w): the mode of the VAE's distribution, per channel in unit scale."""
        vae = pipe.vae
        encoded = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
        shape = (1, vae.config.z_dim, 1, 1, 1)
        mean = torch.tensor(vae.config.latents_mean).view(shape).to(encoded)
        deviation = torch.tensor(vae.config.latents_std).view(shape).to(encoded)
        scaled: torch.Tensor = (encoded - mean) / deviation
        return scaled

    def noise_law(self, pipe: Any, expert: str, latents: torch.Tensor) -> FlowMatching:
        """An expert sees the noise levels at which the pipeline calls it."""
        shift = flow_shift(pipe.scheduler.config, latents[0, 0].numel())
        if self._boundary is None:
            return FlowMatching(shift=shift)
        if expert == "high_noise":
            return FlowMatching(shift=shift, low=self._boundary)
        return FlowMatching(shift=shift, high=self._boundary)

    def predict(
        self,
        pipe: Any,  # noqa: ARG002
        denoiser: Any,
        latents: torch.Tensor,
        timestep: torch.Tensor,
        text: Embedding,
    ) -> torch.Tensor:
        if self._expand_timesteps:
            tokens = latents[0, 0].numel() // 4  # patches of 1 x 2 x 2
            timestep = timestep[:, None].expand(-1, tokens)
        predicted: torch.Tensor = denoiser(
            hidden_states=latents, timestep=timestep, encoder_hidden_states=text["embeds"], return_dict=False
        )[0]
        return predicted


def training_family(index: dict[str, Any]) -> WanTraining:
    """For a model with this `model_index.json`."""
    return WanTraining(
        boundary=index.get("boundary_ratio"), expand_timesteps=bool(index.get("expand_timesteps", False))
    )
