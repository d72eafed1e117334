"""A tiny HoloCine model."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler

from models.holocine.export import save_folder
from models.holocine.transformer import HoloCineTransformer3DModel
from models.tiny.text import SEED, TEXT_WIDTH, t5_tokenizer, umt5_encoder


def holocine(folder: Path) -> None:
    """HoloCine's layout: Wan 2.2's parts, and full and sparse checkpoints of two experts with original names.

    The variants have the same weights, so that what differs between them is the attention.
    """
    torch.manual_seed(SEED)
    tokenizer = t5_tokenizer()
    experts = _expert(), _expert()
    save_folder(
        folder,
        variants={"full": experts, "sparse": experts},
        tokenizer=tokenizer,
        text_encoder=umt5_encoder(len(tokenizer)),
        vae=AutoencoderKLWan(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1).eval(),
        # As the Wan 2.2 base publishes it; HoloCine samples with its own.
        scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
    )


def _expert() -> HoloCineTransformer3DModel:
    expert: HoloCineTransformer3DModel = HoloCineTransformer3DModel(
        num_attention_heads=2, attention_head_dim=12, text_dim=TEXT_WIDTH, freq_dim=32, ffn_dim=32, num_layers=2
    )
    for parameter in expert.parameters():
        # The usual initialisation barely lets the text through; here the shots must make a difference.
        torch.nn.init.normal_(parameter, std=0.2)
    return expert
