"""Tiny LTX-Video models."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLLTXVideo,
    FlowMatchEulerDiscreteScheduler,
    LTXPipeline,
    LTXVideoTransformer3DModel,
)

from models.tiny.text import SEED, TEXT_WIDTH, t5_encoder, t5_tokenizer


def ltx(folder: Path, *, denoising_decoder: bool = False) -> None:
    """LTX-Video's layout, random weights; `denoising_decoder` as from version 0.9.1 on."""
    torch.manual_seed(SEED)
    tokenizer = t5_tokenizer()
    LTXPipeline(
        tokenizer=tokenizer,
        text_encoder=t5_encoder(len(tokenizer)),
        vae=_vae(denoising_decoder),
        transformer=_transformer(),
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, base_shift=0.95, max_shift=2.05, shift_terminal=0.1
        ),
    ).save_pretrained(folder)


def _transformer() -> LTXVideoTransformer3DModel:
    return LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=2,
        caption_channels=TEXT_WIDTH,
    ).eval()


def _vae(denoising_decoder: bool) -> AutoencoderKLLTXVideo:
    vae = AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        timestep_conditioning=denoising_decoder,
    )
    # As published, so that normalising does something.
    vae.latents_mean.copy_(torch.linspace(-0.1, 0.1, 8))
    vae.latents_std.copy_(torch.linspace(0.8, 1.2, 8))
    return vae.eval()
