"""Our own Triton kernels: what is bound by memory, in one pass over it. Imported where there is a CUDA device alone.

Each reads a row once, keeps it in registers in float32, and writes it once; torch's compiler goes over such rows twice.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_QUERIES_A_PROGRAM = 64
_LOG2_E = 1.4426950408889634


@triton.jit  # type: ignore[untyped-decorator]
def _rms_rotate(x, weight, cos, sin, out, tokens, eps, heads: tl.constexpr, padded: tl.constexpr, dim: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64)
    head = tl.arange(0, padded)[:, None]
    at = head * dim + tl.arange(0, dim)[None, :]
    there = head < heads
    wide = tl.load(x + row * heads * dim + at, mask=there, other=0.0).to(tl.float32)
    mean_square = tl.sum(tl.sum(wide * wide, axis=1), axis=0) / (heads * dim)
    wide = wide * tl.rsqrt(mean_square + eps) * tl.load(weight + at, mask=there, other=0.0).to(tl.float32)
    first, second = tl.split(tl.reshape(wide, (padded, dim // 2, 2)))
    angle = (row % tokens) * dim + 2 * tl.arange(0, dim // 2)[None, :]
    cosine, sine = tl.load(cos + angle), tl.load(sin + angle + 1)
    turned = tl.join(first * cosine - second * sine, first * sine + second * cosine)
    tl.store(out + row * heads * dim + at, tl.reshape(turned, (padded, dim)), mask=there)


def rms_rotate(x: Tensor, weight: Tensor, cos: Tensor, sin: Tensor, *, eps: float, head_dim: int) -> Tensor:
    """RMS norm of `x` [batch, tokens, heads * head_dim] over all heads, then the rotary embedding of each head.

    `weight` is [heads * head_dim]; `cos` and `sin`, float32 [1, tokens, 1, head_dim], hold each angle twice, as
    diffusers' Wan has them. `head_dim` must be a power of two.
    """
    batch, tokens, width = x.shape
    out = x.new_empty(x.shape)
    heads = width // head_dim
    _rms_rotate[(batch * tokens,)](
        x.contiguous(),
        weight,
        cos.contiguous(),
        sin.contiguous(),
        out,
        tokens,
        eps,
        heads=heads,
        padded=triton.next_power_of_2(heads),
        dim=head_dim,
        num_warps=8,
    )
    return out


@triton.jit  # type: ignore[untyped-decorator]
def _biased_attention(  # type: ignore[no-untyped-def]
    query,
    key,
    value,
    bias,
    out,
    tokens,
    heads,
    scale,
    log2_e: tl.constexpr,
    keys: tl.constexpr,
    dim: tl.constexpr,
    block: tl.constexpr,
):
    # Programs of neighbouring heads run together: what they read lies side by side.
    head = tl.program_id(0) % heads
    batch = (tl.program_id(0) // heads).to(tl.int64)
    row = tl.program_id(1) * block + tl.arange(0, block)
    there = (row < tokens)[:, None]
    channel = tl.arange(0, dim)[None, :]
    position = tl.arange(0, keys)
    at = ((batch * tokens + row[:, None]) * heads + head) * dim + channel
    near = ((batch * keys + position[:, None]) * heads + head) * dim + channel
    asked = tl.load(query + at, mask=there, other=0.0)
    score = tl.dot(asked, tl.trans(tl.load(key + near))) * scale + (tl.load(bias + position) * log2_e)[None, :]
    weight = tl.exp2(score - tl.max(score, axis=1)[:, None])
    values = tl.load(value + near)
    summed = tl.dot(weight.to(values.dtype), values)
    tl.store(out + at, summed / tl.sum(weight, axis=1)[:, None], mask=there)


def biased_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Softmax attention of `query` [batch, tokens, heads, head_dim] to 64 or 128 keys, with `bias` [keys], float32,
    added to each key's scaled scores. For keys so few that they are held at once, and reading the queries takes the
    time."""
    batch, tokens, heads, dim = query.shape
    out = torch.empty(query.shape, dtype=query.dtype, device=query.device)
    grid = (batch * heads, triton.cdiv(tokens, _QUERIES_A_PROGRAM))
    _biased_attention[grid](
        query.contiguous(),
        key.contiguous(),
        value.contiguous(),
        bias,
        out,
        tokens,
        heads,
        _LOG2_E / dim**0.5,
        log2_e=_LOG2_E,
        keys=key.shape[1],
        dim=dim,
        block=_QUERIES_A_PROGRAM,
        num_warps=4,
    )
    return out
