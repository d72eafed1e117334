"""The denoiser: WanTransformer3DModel at small sizes, and a training pass that takes attention biases.

The pass computes what diffusers' forward computes. It adds what that one has no argument for: an additive bias for
cross-attention (one padding token standing for several hundred equal ones, windows of multi-shot prompts) and one for
self-attention (sparse inter-shot attention).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel
from torch import Tensor, nn

from training.networks.autoencoder import LATENT_CHANNELS
from training.networks.text import TEXT_DIM

CONDITION_CHANNELS: Final = LATENT_CHANNELS + 4
"""Channels that image to video adds to the noise: condition latents and a frame mask, as in Wan 2.2 I2V-A14B."""


@dataclass(frozen=True, kw_only=True)
class TransformerSize:
    """The numbers that fix a denoiser's size."""

    heads: int
    head_dim: int
    ffn_dim: int
    layers: int


SIZES: Final[dict[str, TransformerSize]] = {
    "wan-mini": TransformerSize(heads=4, head_dim=64, ffn_dim=704, layers=6),
    "wan-mini-i2v": TransformerSize(heads=4, head_dim=48, ffn_dim=768, layers=6),
    "holocine-mini": TransformerSize(heads=4, head_dim=48, ffn_dim=768, layers=6),
}
"""Checkpoint name -> size of each of its experts."""


def build_transformer(size: TransformerSize, in_channels: int = LATENT_CHANNELS) -> WanTransformer3DModel:
    """A fresh denoiser whose first prediction is near zero."""
    model = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=size.heads,
        attention_head_dim=size.head_dim,
        in_channels=in_channels,
        out_channels=LATENT_CHANNELS,
        text_dim=TEXT_DIM,
        freq_dim=256,
        ffn_dim=size.ffn_dim,
        num_layers=size.layers,
        cross_attn_norm=True,
        rope_max_seq_len=1024,
    )
    nn.init.normal_(model.proj_out.weight, std=1e-3)
    nn.init.zeros_(model.proj_out.bias)
    return model


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding over interleaved pairs. x: [B, N, heads, d]; cos, sin: [1, N, 1, d / 2]."""
    first, second = x.reshape(*x.shape[:-1], -1, 2).unbind(-1)
    rotated = torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return rotated.flatten(-2).type_as(x)


def _attention(
    layer: Any, x: Tensor, context: Tensor, rope: tuple[Tensor, Tensor] | None, bias: Tensor | None
) -> Tensor:
    query, key = layer.norm_q(layer.to_q(x)), layer.norm_k(layer.to_k(context))
    value = layer.to_v(context)
    query, key, value = (t.unflatten(2, (layer.heads, -1)) for t in (query, key, value))
    if rope is not None:
        query, key = _rotate(query, *rope), _rotate(key, *rope)
    query, key, value = (t.transpose(1, 2).to(value.dtype) for t in (query, key, value))
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    return torch.as_tensor(layer.to_out[0](out.transpose(1, 2).flatten(2)))


def block_pass(
    block: Any,
    x: Tensor,
    text: Tensor,
    modulation: Tensor,
    cos: Tensor,
    sin: Tensor,
    cross_bias: Tensor,
    self_bias: Tensor | None,
) -> Tensor:
    """One transformer block. x: [B, N, D]; text: [B, L, D]; modulation: [B, 6, D]; biases as for `predict_velocity`."""
    table = block.scale_shift_table + modulation.float()
    shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = table.chunk(6, dim=1)
    hidden = block.norm1(x.float()) * (1 + scale) + shift
    dtype = x.dtype
    hidden = hidden.to(dtype)
    x = (x.float() + _attention(block.attn1, hidden, hidden, (cos, sin), self_bias) * gate).to(dtype)
    x = x + _attention(block.attn2, block.norm2(x.float()).to(dtype), text, None, cross_bias).to(dtype)
    hidden = block.norm3(x.float()) * (1 + ffn_scale) + ffn_shift
    return torch.as_tensor((x.float() + block.ffn(hidden.to(dtype)).float() * ffn_gate).to(dtype))


def patch_tokens(model: Any, latents: Tensor) -> Tensor:
    """The model's patch embedding of [B, C, F, h, w] as tokens [B, N, D]: its convolution, as one matrix product."""
    batch, channels, frames, height, width = latents.shape
    patches = latents.reshape(batch, channels, frames, height // 2, 2, width // 2, 2).permute(0, 2, 3, 5, 1, 4, 6)
    layer = model.patch_embedding
    return F.linear(patches.flatten(4).flatten(1, 3), layer.weight.flatten(1), layer.bias)


def velocity_of_tokens(model: Any, tokens: Tensor, temb: Tensor, size: tuple[int, int, int]) -> Tensor:
    """The model's output layers over tokens [B, N, D]; size: latent frames, rows, columns -> [B, 16, F, h, w]."""
    frames, height, width = size
    shift, scale = (model.scale_shift_table + temb.float().unsqueeze(1)).chunk(2, dim=1)
    out = model.proj_out((model.norm_out(tokens.float()) * (1 + scale) + shift).to(tokens.dtype))
    out = out.reshape(len(tokens), frames, height // 2, width // 2, 2, 2, -1).permute(0, 6, 1, 2, 4, 3, 5)
    return torch.as_tensor(out.flatten(5, 6).flatten(3, 4))


@dataclass(frozen=True, kw_only=True)
class Passes:
    """The three parts of a forward pass that are worth compiling; each is traced once a kind of clip."""

    embed: Callable[..., Tensor] = patch_tokens
    block: Callable[..., Tensor] = block_pass
    finish: Callable[..., Tensor] = velocity_of_tokens


EAGER: Final = Passes()


def compiled_passes() -> Passes:
    """The same passes, compiled for each shape they meet."""
    # One graph for each kind of clip, with and without sparse attention.
    torch._dynamo.config.cache_size_limit = 64

    def compiled(part: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return torch.compile(part, dynamic=False)

    return Passes(embed=compiled(patch_tokens), block=compiled(block_pass), finish=compiled(velocity_of_tokens))


def predict_velocity(
    model: WanTransformer3DModel,
    latents: Tensor,
    sigma: Tensor,
    text: Tensor,
    cross_bias: Tensor,
    self_bias: Tensor | None = None,
    passes: Passes = EAGER,
) -> Tensor:
    """The model's prediction of noise minus latents.

    Args:
        latents: [B, C, F, h, w], already noised, with condition channels if the model has them.
        sigma: [B] in 0..1.
        text: [B, L, 128] embeddings.
        cross_bias: additive, broadcastable to [B, heads, N, L] with N = F * (h / 2) * (w / 2).
        self_bias: additive, broadcastable to [B, heads, N, N], or None.
        passes: the parts of the pass, as they are or compiled.

    Returns:
        [B, 16, F, h, w].
    """
    rope = model.rope(latents)
    cos, sin = rope[0][..., 0::2], rope[1][..., 1::2]
    tokens = passes.embed(model, latents)
    temb, modulation, context, _ = model.condition_embedder(sigma * 1000, text)
    modulation = modulation.unflatten(1, (6, -1))
    for layer in model.blocks:
        tokens = passes.block(layer, tokens, context, modulation, cos, sin, cross_bias, self_bias)
    return passes.finish(model, tokens, temb, tuple(latents.shape[2:]))
