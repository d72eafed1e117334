"""Training LoRAs for CogVideoX's text-to-video model."""

from __future__ import annotations

from typing import Any

import torch

from models.cogvideox.family import CogVideoXFamily
from models.common.embeddings import Embedding
from models.common.family import Family
from models.lora_training.noise import VPrediction


class CogVideoXTraining:
    """See `models.lora_training.family.TrainingFamily`."""

    targets = ("to_q", "to_k", "to_v", "to_out.0")

    def __init__(self) -> None:
        self.generation: Family = CogVideoXFamily(image=False)

    def latents(self, pipe: Any, pixels: torch.Tensor) -> torch.Tensor:
        """(1, f, c, h, w): this denoiser's frames come before its channels."""
        vae = pipe.vae
        encoded: torch.Tensor = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
        scaled: torch.Tensor = encoded * vae.config.scaling_factor
        return scaled.permute(0, 2, 1, 3, 4)

    def noise_law(self, pipe: Any, expert: str, latents: torch.Tensor) -> VPrediction:  # noqa: ARG002
        return VPrediction(alphas_cumprod=pipe.scheduler.alphas_cumprod)

    def predict(
        self, pipe: Any, denoiser: Any, latents: torch.Tensor, timestep: torch.Tensor, text: Embedding
    ) -> torch.Tensor:
        scale = pipe.vae_scale_factor_spatial
        rotary = None
        if denoiser.config.use_rotary_positional_embeddings:
            height, width = latents.shape[-2] * scale, latents.shape[-1] * scale
            rotary = pipe._prepare_rotary_positional_embeddings(height, width, latents.shape[1], latents.device)
        predicted: torch.Tensor = denoiser(
            hidden_states=latents,
            encoder_hidden_states=text["embeds"],
            timestep=timestep,
            image_rotary_emb=rotary,
            return_dict=False,
        )[0]
        return predicted


def training_family(index: dict[str, Any]) -> CogVideoXTraining:  # noqa: ARG001
    """For a model with this `model_index.json`."""
    return CogVideoXTraining()
