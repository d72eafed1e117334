"""A tiny Mochi."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLMochi,
    FlowMatchEulerDiscreteScheduler,
    MochiPipeline,
    MochiTransformer3DModel,
)

from models.tiny.text import SEED, TEXT_WIDTH, t5_encoder, t5_tokenizer


def mochi(folder: Path) -> None:
    """Mochi-1's layout, random weights."""
    torch.manual_seed(SEED)
    tokenizer = t5_tokenizer()
    MochiPipeline(
        tokenizer=tokenizer,
        text_encoder=t5_encoder(len(tokenizer)),
        vae=_vae(),
        transformer=_transformer(),
        scheduler=FlowMatchEulerDiscreteScheduler(invert_sigmas=True),
    ).save_pretrained(folder)


def _transformer() -> MochiTransformer3DModel:
    return MochiTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=2,
        pooled_projection_dim=16,
        in_channels=12,
        text_embed_dim=TEXT_WIDTH,
        time_embed_dim=4,
        max_sequence_length=256,
    ).eval()


def _vae() -> AutoencoderKLMochi:
    return AutoencoderKLMochi(
        encoder_block_out_channels=(32, 32, 32, 32),
        decoder_block_out_channels=(32, 32, 32, 32),
        layers_per_block=(1, 1, 1, 1, 1),
    ).eval()
