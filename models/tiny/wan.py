"""Tiny Wan models."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)

from models.tiny.text import SEED, TEXT_WIDTH, t5_tokenizer, umt5_encoder


def wan(folder: Path, *, two_experts: bool = True, image: bool = False, euler: bool = False) -> None:
    """Wan 2.2 A14B's layout (text, or `image` to video), random weights, about 1 MB."""
    torch.manual_seed(SEED)
    tokenizer = t5_tokenizer()
    pipeline = WanImageToVideoPipeline if image else WanPipeline
    pipeline(
        tokenizer=tokenizer,
        text_encoder=umt5_encoder(len(tokenizer)),
        vae=_wan_vae(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0) if euler else _wan_unipc(),
        transformer=_wan_transformer(in_channels=36 if image else 16),
        transformer_2=_wan_transformer(in_channels=36 if image else 16) if two_experts else None,
        boundary_ratio=0.9 if two_experts else None,
    ).save_pretrained(folder)


def wan_ti2v(folder: Path) -> None:
    """Wan 2.2 TI2V-5B's layout: one network, a timestep per token, Wan 2.2's VAE of 48 channels and 16x16 pixels."""
    torch.manual_seed(SEED)
    tokenizer = t5_tokenizer()
    WanPipeline(
        tokenizer=tokenizer,
        text_encoder=umt5_encoder(len(tokenizer)),
        vae=_wan22_vae(),
        scheduler=_wan_unipc(),
        transformer=_wan_transformer(in_channels=48),
        expand_timesteps=True,
    ).save_pretrained(folder)


def _wan_unipc() -> UniPCMultistepScheduler:
    return UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)


def _wan_transformer(in_channels: int) -> WanTransformer3DModel:
    return WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=in_channels,
        out_channels=48 if in_channels == 48 else 16,
        text_dim=TEXT_WIDTH,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=64,
    ).eval()


def _wan_vae() -> AutoencoderKLWan:
    return AutoencoderKLWan(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1).eval()


def _wan22_vae() -> AutoencoderKLWan:
    return AutoencoderKLWan(
        base_dim=4,
        decoder_base_dim=4,
        z_dim=48,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_spatial=16,
        scale_factor_temporal=4,
        latents_mean=[0.0] * 48,
        latents_std=[1.0] * 48,
    ).eval()
