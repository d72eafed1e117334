"""Wan's autoencoders with fewer passes over memory: their blocks' forwards, exchanged in place.

No value changes but for the order of sums. A convolution pads itself instead of a copy being padded; its bias is added
by whatever reads its output next; norm and SiLU are one kernel; frames are put in order while they are enlarged; and a
block's shortcut is added from where it lies instead of being enlarged first. Channels lie side by side throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import (
    CACHE_T,
    DupUp3D,
    WanCausalConv3d,
    WanResample,
    WanResidualBlock,
    WanResidualUpBlock,
    WanRMS_norm,
)
from torch import Tensor, nn
from torch.nn import functional

from models.speed import fusing

_UPWARDS = ("upsample2d", "upsample3d")


def shorten(vae: nn.Module) -> None:
    """Takes passes over memory out of a Wan autoencoder; others have none of these layers."""
    for module in vae.modules():
        if isinstance(module, WanCausalConv3d):
            side_w, _, side_h, _, _, _ = module._padding
            module.padding = (0, side_h, side_w)
        if isinstance(getattr(module, "nonlinearity", None), nn.SiLU):
            # In these classes it follows the norms of the same module and nothing else.
            for norm in (each for each in module.children() if isinstance(each, WanRMS_norm)):
                norm.silu = True
            module.nonlinearity = nn.Identity()
        forward = _FORWARDS.get(type(module))
        if forward is not None and getattr(module, "mode", _UPWARDS[0]) in _UPWARDS:
            module.forward = MethodType(forward, module)


def _convolve(layer: Any, x: Tensor, cache_x: Tensor | None = None, *, with_bias: bool = True) -> Tensor:
    """The stock layer's causal convolution: what it pads in space, the convolution itself pads."""
    past = layer._padding[4]
    if cache_x is not None and past > 0:
        x = torch.cat([cache_x.to(x.device), x], dim=2)
        past -= cache_x.shape[2]
    if past > 0:
        x = functional.pad(x, (0, 0, 0, 0, past, 0))
    out: Tensor = layer._conv_forward(x, layer.weight, layer.bias if with_bias else None)
    return out


def _remembering(layer: Any, x: Tensor, cache: list[Any] | None, index: list[int]) -> Tensor:
    """The convolution without its bias, of `x` after the frames that the cache has for it, which it renews."""
    if cache is None:
        return _convolve(layer, x, with_bias=False)
    before, cache[index[0]] = cache[index[0]], _last_frames(x, cache[index[0]])
    index[0] += 1
    return _convolve(layer, x, before, with_bias=False)


def _last_frames(x: Tensor, before: Any) -> Tensor:
    """The last two frames of `x`; with those of `before` where there is one alone."""
    last = x[:, :, -CACHE_T:].clone()
    if last.shape[2] < CACHE_T and isinstance(before, Tensor):
        last = torch.cat([before[:, :, -1:].to(last.device), last], dim=2)
    return last


def _normalise(layer: Any, x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Norm, and SiLU where it follows, of `x` plus `bias` [channels]."""
    silu = getattr(layer, "silu", False)
    if not fusing.admitted(x.device, "decoder") or not layer.channel_first or isinstance(layer.bias, Tensor):
        normed: Tensor = type(layer).forward(layer, _biased(x, bias))
        return functional.silu(normed) if silu else normed
    from models.speed import vae_kernels

    last = x.movedim(1, -1)  # a view, and contiguous where the channels lie side by side
    rows = last.reshape(-1, last.shape[-1])
    out = vae_kernels.unit_silu(rows, layer.gamma.reshape(-1), bias, scale=layer.scale, silu=silu)
    return out.reshape(last.shape).movedim(-1, 1)


def plain_unit_silu(rows: Tensor, gain: Tensor) -> Tensor:
    """What `vae_kernels.unit_silu` does with the scale that Wan's autoencoders have, by torch's own operations."""
    return functional.silu(functional.normalize(rows, dim=1) * rows.shape[1] ** 0.5 * gain)


def _biased(x: Tensor, bias: Tensor | None) -> Tensor:
    return x if bias is None else x + bias.view(1, -1, 1, 1, 1)


def _residual(block: Any, x: Tensor, feat_cache: list[Any] | None = None, feat_idx: list[int] | None = None) -> Tensor:
    index = [0] if feat_idx is None else feat_idx
    shortcut = block.conv_shortcut(x)
    x = _remembering(block.conv1, block.norm1(x), feat_cache, index)
    x = block.dropout(_normalise(block.norm2, x, block.conv1.bias))
    x = _remembering(block.conv2, x, feat_cache, index)
    return _joined(x, block.conv2.bias, shortcut)


def _joined(x: Tensor, bias: Tensor, shortcut: Tensor) -> Tensor:
    """`x + bias + shortcut`; `x` is not used any more."""
    if not _in_kernels(x):
        return _plainly_joined(x, bias, shortcut)
    from models.speed import vae_kernels

    return vae_kernels.add_biased(x, bias, _side_by_side(shortcut))


def _plainly_joined(x: Tensor, bias: Tensor, shortcut: Tensor) -> Tensor:
    return _biased(x, bias) + shortcut


def _in_kernels(x: Tensor) -> bool:
    """Whether our kernels run here, and the channels of `x` lie side by side, as they want."""
    return fusing.admitted(x.device, "decoder") and x.is_contiguous(memory_format=torch.channels_last_3d)


def _side_by_side(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last_3d)


def _resample(layer: Any, x: Tensor, feat_cache: list[Any] | None = None, feat_idx: list[int] | None = None) -> Tensor:
    batch, doubled = len(x), False
    if layer.mode == "upsample3d" and feat_cache is not None and feat_idx is not None:
        x, doubled = _in_time(layer, x, feat_cache, feat_idx)
    images: Tensor = layer.resample[1](enlarged(x, doubled=doubled))
    return images.view(batch, -1, *images.shape[1:]).transpose(1, 2)


def _in_time(layer: Any, x: Tensor, cache: list[Any], index: list[int]) -> tuple[Tensor, bool]:
    """The convolution that makes two frames of each, side by side in the channels; the first frame stays one."""
    at = index[0]
    index[0] += 1
    before = cache[at]
    if before is None:
        cache[at] = "Rep"
        return x, False
    first = not isinstance(before, Tensor)
    cache[at] = _last_frames(x, torch.zeros_like(x) if first else before)
    return layer.time_conv(x, None if first else before), True


def enlarged(x: Tensor, *, doubled: bool) -> Tensor:
    """Each pixel of `x` [batch, channels, frames, height, width] as four equal ones, in images
    [batch * frames, channels, 2 * height, 2 * width]. `doubled`: its channels hold two frames, the earlier first."""
    if _in_kernels(x):
        from models.speed import vae_kernels

        return vae_kernels.enlarged(x, parts=2 if doubled else 1)
    return _plainly_enlarged(x, parts=2 if doubled else 1)


def _plainly_enlarged(x: Tensor, *, parts: int) -> Tensor:
    images = x.reshape(len(x), parts, -1, *x.shape[2:]).permute(0, 3, 1, 2, 4, 5).flatten(0, 2)
    return functional.interpolate(images, scale_factor=2.0, mode="nearest-exact")


def _up_block(
    block: Any,
    x: Tensor,
    feat_cache: list[Any] | None = None,
    feat_idx: list[int] | None = None,
    first_chunk: bool = False,
) -> Tensor:
    given, index = x, [0] if feat_idx is None else feat_idx
    for resnet in block.resnets:
        x = resnet(x, feat_cache, index)
    if block.upsampler is not None:
        x = block.upsampler(x, feat_cache, index)
    return x if block.avg_shortcut is None else _with_duplicates(x, given, block.avg_shortcut, first_chunk)


def _with_duplicates(x: Tensor, given: Tensor, shortcut: Any, first_chunk: bool) -> Tensor:
    """`x` plus the block's input, each of whose values stands for several pixels; `x` is not used any more."""
    if not _in_kernels(x):
        enlarged_input: Tensor = shortcut(given, first_chunk=first_chunk)
        return x + enlarged_input
    from models.speed import vae_kernels

    late = shortcut.factor_t - 1 if first_chunk else 0
    return vae_kernels.add_duplicates(
        x, _side_by_side(given), factor_t=shortcut.factor_t, factor_s=shortcut.factor_s, late=late
    )


def error_of_kernels(device: torch.device) -> float:
    """The largest ||out - ref|| / ||ref|| of our kernels against the stock expressions in float64, on random inputs."""
    from models.speed import vae_kernels

    def video(channels: int, frames: int, side: int) -> Tensor:
        return _side_by_side(torch.randn(1, channels, frames, side, side, device=device).to(torch.bfloat16))

    x, shortcut, given = video(24, 4, 6), video(24, 4, 6), video(48, 2, 3)
    bias = torch.randn(24, device=device)
    # Rows whose channels do not lie side by side.
    rows, gain = (torch.randn(*shape, device=device).to(torch.bfloat16).t() for shape in ((96, 333), (96,)))
    stock = DupUp3D(48, 24, factor_t=2, factor_s=2)
    duplicated = vae_kernels.add_duplicates(x.clone(), given, factor_t=2, factor_s=2, late=0)
    return max(
        fusing.difference(vae_kernels.unit_silu(rows, gain, scale=96**0.5, silu=True), plain_unit_silu, rows, gain),
        fusing.difference(vae_kernels.add_biased(x.clone(), bias, shortcut), _plainly_joined, x, bias, shortcut),
        fusing.difference(vae_kernels.enlarged(x, parts=2), partial(_plainly_enlarged, parts=2), x),
        fusing.difference(duplicated, lambda x, given: x + stock(given), x, given),
    )


_FORWARDS: dict[type, Callable[..., Tensor]] = {
    WanCausalConv3d: _convolve,
    WanRMS_norm: _normalise,
    WanResidualBlock: _residual,
    WanResample: _resample,
    WanResidualUpBlock: _up_block,
}
