"""Training LoRAs for HunyuanVideo's text-to-video model."""

from __future__ import annotations

from typing import Any

import torch

from models.common.embeddings import Embedding
from models.common.family import Family
from models.hunyuan_video.family import HunyuanVideoFamily
from models.lora_training.noise import FlowMatching, flow_shift

GUIDANCE = 1.0  # the distilled guidance input that the network is trained under: that of no guidance


class HunyuanVideoTraining:
    """See `models.lora_training.family.TrainingFamily`."""

    targets = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")

    def __init__(self) -> None:
        self.generation: Family = HunyuanVideoFamily(image_condition_type=None)

    def latents(self, pipe: Any, pixels: torch.Tensor) -> torch.Tensor:
        """(1, c, f, h, w), scaled as the VAE's configuration says."""
        vae = pipe.vae
        encoded: torch.Tensor = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
        scaled: torch.Tensor = encoded * vae.config.scaling_factor
        return scaled

    def noise_law(self, pipe: Any, expert: str, latents: torch.Tensor) -> FlowMatching:  # noqa: ARG002
        return FlowMatching(shift=flow_shift(pipe.scheduler.config, latents[0, 0].numel()))

    def predict(
        self,
        pipe: Any,  # noqa: ARG002
        denoiser: Any,
        latents: torch.Tensor,
        timestep: torch.Tensor,
        text: Embedding,
    ) -> torch.Tensor:
        guidance = torch.full((len(latents),), GUIDANCE * 1000.0, device=latents.device, dtype=latents.dtype)
        predicted: torch.Tensor = denoiser(
            hidden_states=latents,
            timestep=timestep,
            encoder_hidden_states=text["embeds"],
            encoder_attention_mask=text["mask"],
            pooled_projections=text["pooled"],
            guidance=guidance if denoiser.config.guidance_embeds else None,
            return_dict=False,
        )[0]
        return predicted


def training_family(index: dict[str, Any]) -> HunyuanVideoTraining:  # noqa: ARG001
    """For a model with this `model_index.json`."""
    return HunyuanVideoTraining()
