"""Triton kernels of Wan's autoencoders, over videos whose channels lie side by side. Imported where there is a CUDA
device alone. Each reads and writes every value once."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_ELEMENTS_A_PROGRAM = 4096


def _over_rows(rows: int, channels: int) -> tuple[tuple[int], dict[str, int]]:
    """The programs that go over so many pixels, and how much each of them takes."""
    padded = triton.next_power_of_2(channels)
    block = max(1, _ELEMENTS_A_PROGRAM // padded)
    return (triton.cdiv(rows, block),), {"channels": channels, "padded": padded, "block": block, "num_warps": 4}


@triton.jit  # type: ignore[untyped-decorator]
def _tile(rows, channels: tl.constexpr, padded: tl.constexpr, block: tl.constexpr):  # type: ignore[no-untyped-def]
    """A program's pixels [block, 1] and channels [1, padded], and which of these pairs there are."""
    row = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)[:, None]
    channel = tl.arange(0, padded)[None, :]
    return row, channel, (row < rows) & (channel < channels)


@triton.jit  # type: ignore[untyped-decorator]
def _unit_silu(  # type: ignore[no-untyped-def]
    x,
    gain,
    bias,
    out,
    rows,
    scale,
    channels: tl.constexpr,
    padded: tl.constexpr,
    block: tl.constexpr,
    silu: tl.constexpr,
    biased: tl.constexpr,
):
    row, channel, there = _tile(rows, channels, padded, block)
    at = row * channels + channel
    wide = tl.load(x + at, mask=there, other=0.0).to(tl.float32)
    if biased:
        wide += tl.load(bias + channel, mask=channel < channels, other=0.0).to(tl.float32)
    length = tl.sqrt(tl.sum(wide * wide, axis=1))[:, None]
    # 1e-12 as in torch.nn.functional.normalize.
    wide = wide / tl.maximum(length, 1e-12) * scale
    wide = wide * tl.load(gain + channel, mask=channel < channels, other=0.0).to(tl.float32)
    if silu:
        wide = wide * tl.sigmoid(wide)
    tl.store(out + at, wide, mask=there)


def unit_silu(rows: Tensor, gain: Tensor, bias: Tensor | None = None, *, scale: float, silu: bool) -> Tensor:
    """Each row of `rows` [n, channels] plus `bias` [channels] made one long, times `scale` and `gain` [channels]; then
    SiLU if `silu`."""
    # Of a video whose channels do not lie side by side, the rows are a view with other strides.
    out = torch.empty(rows.shape, dtype=rows.dtype, device=rows.device)
    grid, share = _over_rows(*rows.shape)
    given = rows.contiguous(), gain, gain if bias is None else bias, out, len(rows), scale
    _unit_silu[grid](*given, silu=silu, biased=bias is not None, **share)
    return out


@triton.jit  # type: ignore[untyped-decorator]
def _add_biased(x, bias, other, rows, channels: tl.constexpr, padded: tl.constexpr, block: tl.constexpr):  # type: ignore[no-untyped-def]
    row, channel, there = _tile(rows, channels, padded, block)
    at = row * channels + channel
    added = tl.load(bias + channel, mask=channel < channels, other=0.0).to(tl.float32)
    added += tl.load(other + at, mask=there, other=0.0).to(tl.float32)
    tl.store(x + at, tl.load(x + at, mask=there, other=0.0).to(tl.float32) + added, mask=there)


def add_biased(x: Tensor, bias: Tensor, other: Tensor) -> Tensor:
    """Adds `bias` [channels] and `other` to `x` [batch, channels, frames, height, width], in place."""
    rows = x.numel() // x.shape[1]
    grid, share = _over_rows(rows, x.shape[1])
    _add_biased[grid](x, bias, other, rows, **share)
    return x


@triton.jit  # type: ignore[untyped-decorator]
def _enlarge(  # type: ignore[no-untyped-def]
    x,
    out,
    rows,
    height,
    width,
    parts: tl.constexpr,
    channels: tl.constexpr,
    padded: tl.constexpr,
    block: tl.constexpr,
):
    row, channel, there = _tile(rows, channels, padded, block)
    right = row % (2 * width)
    down = row // (2 * width) % (2 * height)
    image = row // (4 * height * width)
    pixel = (image // parts * height + down // 2) * width + right // 2
    value = tl.load(x + (pixel * parts + image % parts) * channels + channel, mask=there, other=0.0)
    tl.store(out + row * channels + channel, value, mask=there)


def enlarged(x: Tensor, *, parts: int) -> Tensor:
    """Each pixel of `x` [batch, parts * channels, frames, height, width] four times, in images
    [batch * frames * parts, channels, 2 * height, 2 * width]."""
    batch, wide, frames, height, width = x.shape
    channels = wide // parts
    out = torch.empty(
        (batch * frames * parts, channels, 2 * height, 2 * width),
        dtype=x.dtype,
        device=x.device,
        memory_format=torch.channels_last,
    )
    rows = out.numel() // channels
    grid, share = _over_rows(rows, channels)
    _enlarge[grid](x, out, rows, height, width, parts=parts, **share)
    return out


@triton.jit  # type: ignore[untyped-decorator]
def _add_duplicates(  # type: ignore[no-untyped-def]
    x,
    given,
    rows,
    frames,
    given_frames,
    height,
    width,
    late,
    factor_t: tl.constexpr,
    factor_s: tl.constexpr,
    repeats: tl.constexpr,
    given_channels: tl.constexpr,
    channels: tl.constexpr,
    padded: tl.constexpr,
    block: tl.constexpr,
):
    row, channel, there = _tile(rows, channels, padded, block)
    right = row % width
    down = row // width % height
    frame = row // (width * height) % frames + late
    video = row // (width * height) // frames
    # Which of the pixels that one value stands for this is, and of which input channel it is one.
    phase = (frame % factor_t * factor_s + down % factor_s) * factor_s + right % factor_s
    source = (channel * (factor_t * factor_s * factor_s) + phase) // repeats
    pixel = (video * given_frames + frame // factor_t) * (height // factor_s) + down // factor_s
    pixel = pixel * (width // factor_s) + right // factor_s
    value = tl.load(given + pixel * given_channels + source, mask=there, other=0.0).to(tl.float32)
    at = row * channels + channel
    tl.store(x + at, tl.load(x + at, mask=there, other=0.0).to(tl.float32) + value, mask=there)


def add_duplicates(x: Tensor, given: Tensor, *, factor_t: int, factor_s: int, late: int) -> Tensor:
    """Adds to `x` [batch, channels, frames, height, width], in place, what diffusers' `DupUp3D` makes of `given`, which
    is smaller by the factors; `late` frames of that are left out at the beginning."""
    channels, frames, height, width = x.shape[1:]
    rows = x.numel() // channels
    grid, share = _over_rows(rows, channels)
    _add_duplicates[grid](
        x,
        given,
        rows,
        frames,
        given.shape[2],
        height,
        width,
        late,
        factor_t=factor_t,
        factor_s=factor_s,
        repeats=channels * factor_t * factor_s**2 // given.shape[1],
        given_channels=given.shape[1],
        **share,
    )
    return x
