"""A tiny Wan transformer whose sides are multiples of 16, as quantised layers want them."""

from typing import Any

import torch
from diffusers import WanTransformer3DModel


def tiny_wan(seed: int = 0, num_layers: int = 2) -> Any:
    torch.manual_seed(seed)
    return WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=24,
        in_channels=16,
        out_channels=16,
        text_dim=32,
        freq_dim=32,
        ffn_dim=96,
        num_layers=num_layers,
        rope_max_seq_len=64,
    ).eval()


def random_wan() -> Any:
    """The same whose every parameter is random, so that each of its parts changes what comes out; without gradients."""
    network = tiny_wan(seed=3)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network.requires_grad_(False)


def wan_inputs(dtype: torch.dtype = torch.float32, seed: int = 1, frames: int = 3) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "hidden_states": torch.randn(1, 16, frames, 8, 8, generator=generator).to(dtype),
        "timestep": torch.tensor([500]),
        "encoder_hidden_states": torch.randn(1, 12, 32, generator=generator).to(dtype),
    }
