"""Training LoRAs for LTX-Video."""

from __future__ import annotations

from typing import Any

import torch

from models.common.embeddings import Embedding
from models.common.family import Family
from models.lora_training.noise import FlowMatching, flow_shift
from models.ltx.family import LTXFamily

FPS = 25.0  # the rate that the positions of the frames are told at


class LTXTraining:
    """See `models.lora_training.family.TrainingFamily`."""

    targets = ("to_q", "to_k", "to_v", "to_out.0")

    def __init__(self) -> None:
        self.generation: Family = LTXFamily()

    def latents(self, pipe: Any, pixels: torch.Tensor) -> torch.Tensor:
        """(1, c, f, h, w), per channel in unit scale."""
        vae = pipe.vae
        encoded = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
        normalised: torch.Tensor = pipe._normalize_latents(
            encoded, vae.latents_mean, vae.latents_std, vae.config.scaling_factor
        )
        return normalised

    def noise_law(self, pipe: Any, expert: str, latents: torch.Tensor) -> FlowMatching:  # noqa: ARG002
        return FlowMatching(shift=flow_shift(pipe.scheduler.config, latents[0, 0].numel()))

    def predict(
        self, pipe: Any, denoiser: Any, latents: torch.Tensor, timestep: torch.Tensor, text: Embedding
    ) -> torch.Tensor:
        """The network takes a sequence of latent pixels (the published patches are 1 x 1 x 1)."""
        frames, height, width = latents.shape[2:]
        space, time = pipe.vae_spatial_compression_ratio, pipe.vae_temporal_compression_ratio
        predicted = denoiser(
            hidden_states=latents.flatten(2).transpose(1, 2),
            encoder_hidden_states=text["embeds"],
            timestep=timestep,
            encoder_attention_mask=text["mask"],
            num_frames=frames,
            height=height,
            width=width,
            rope_interpolation_scale=(time / FPS, space, space),  # as the stock pipeline: seconds, pixels
            return_dict=False,
        )[0]
        shaped: torch.Tensor = predicted.transpose(1, 2).unflatten(2, (frames, height, width))
        return shaped


def training_family(index: dict[str, Any]) -> LTXTraining:  # noqa: ARG001
    """For a model with this `model_index.json`."""
    return LTXTraining()
