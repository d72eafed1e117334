"""Tiny CogVideoX models."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDPMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
)

from models.tiny.text import SEED, TEXT_WIDTH, t5_encoder, t5_tokenizer


def cogvideox(folder: Path, *, image: bool = False) -> None:
    """CogVideoX-5B's layout (text, or `image` to video), random weights."""
    torch.manual_seed(SEED)
    tokenizer = t5_tokenizer()
    pipeline = CogVideoXImageToVideoPipeline if image else CogVideoXPipeline
    pipeline(
        tokenizer=tokenizer,
        text_encoder=t5_encoder(len(tokenizer)),
        vae=_vae(),
        transformer=_transformer(image=image),
        scheduler=CogVideoXDPMScheduler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            prediction_type="v_prediction",
            rescale_betas_zero_snr=True,
            set_alpha_to_one=True,
            snr_shift_scale=1.0,
            timestep_spacing="trailing",
        ),
    ).save_pretrained(folder)


def _transformer(*, image: bool) -> CogVideoXTransformer3DModel:
    return CogVideoXTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=8 if image else 4,
        out_channels=4,
        time_embed_dim=4,
        text_embed_dim=TEXT_WIDTH,
        num_layers=2,
        sample_width=4,
        sample_height=4,
        sample_frames=9,
        max_text_seq_length=226,
        use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=image,
    ).eval()


def _vae() -> AutoencoderKLCogVideoX:
    return AutoencoderKLCogVideoX(
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        sample_height=32,
        sample_width=32,
    ).eval()
