"""Tiny models with random weights in the true published layouts.

Tests run every family on them, and `make run` uses the Wan one as a stand-in until the trained `wan-mini` is there:
its videos are noise, and its card says so.
"""

from __future__ import annotations

import contextlib
import getpass
import tempfile
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
from transformers import T5Tokenizer, UMT5Config, UMT5EncoderModel

_SEED = 20260922
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789áàâãçéêíóôõúABCDEFGHIJKLMNOPQRSTUVWXYZ.,!?:;-'"


def t5_tokenizer() -> T5Tokenizer:
    """A tokenizer of single characters: every text has tokens, and different texts have different ones."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in _LETTERS)]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def umt5_encoder(vocabulary: int, width: int = 16) -> UMT5EncoderModel:
    """UMT5 in miniature: 2 layers, `width` channels."""
    config = UMT5Config(
        vocab_size=vocabulary, d_model=width, d_kv=8, d_ff=32, num_layers=2, num_heads=2, dropout_rate=0.0
    )
    return UMT5EncoderModel(config).eval()


def wan(folder: Path, *, two_experts: bool = True, image: bool = False, euler: bool = False) -> None:
    """Wan 2.2 A14B's layout (text, or `image` to video), random weights, about 1 MB."""
    torch.manual_seed(_SEED)
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
    torch.manual_seed(_SEED)
    tokenizer = t5_tokenizer()
    WanPipeline(
        tokenizer=tokenizer,
        text_encoder=umt5_encoder(len(tokenizer)),
        vae=_wan22_vae(),
        scheduler=_wan_unipc(),
        transformer=_wan_transformer(in_channels=48),
        expand_timesteps=True,
    ).save_pretrained(folder)


def stand_in(model_id: str) -> Path:
    """A folder with random weights in Wan's layout, made once a machine. Its videos are noise."""
    folder = Path(tempfile.gettempdir()) / f"revalida-{getpass.getuser()}-stand-in-{model_id}"
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=folder.parent) as workshop:
        made = Path(workshop) / "model"
        wan(made, two_experts=True, euler=True)
        with contextlib.suppress(OSError):  # another process was first: its folder is the same
            made.rename(folder)
    return folder


def _wan_unipc() -> UniPCMultistepScheduler:
    return UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)


def _wan_transformer(in_channels: int) -> WanTransformer3DModel:
    return WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=in_channels,
        out_channels=48 if in_channels == 48 else 16,
        text_dim=16,
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
