"""A faster video decoder: half precision, convolutions over channels that lie side by side, as the tensor cores want,
and fewer passes over memory between them.

The published recipes of Wan decode in float32. The fast tier does not: the difference is of the size of one step in 255
(measured by the benchmark on every model, and on real frames of the trained mini model by a test). What else is done
here to Wan's autoencoders changes no value but for the order of sums, so that the exact tier has it, too, in float32:
a convolution pads itself instead of a copy being padded, nearest-neighbour enlargement copies pixels without a detour
over another type, and norm and SiLU are one kernel.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d, WanRMS_norm, WanUpsample
from torch import Tensor, nn
from torch.nn import functional

from models.speed import fusing


def quicken(vae: Any, dtype: torch.dtype = torch.bfloat16) -> None:
    """Readies a diffusers video VAE in place for decoding in `dtype`."""
    vae.to(dtype)
    for module in vae.modules():
        if isinstance(module, nn.Conv3d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last_3d)
        elif isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    shorten(vae)


def shorten(vae: nn.Module) -> None:
    """Takes passes over memory out of a Wan autoencoder; others have none of these layers."""
    for module in vae.modules():
        if isinstance(module, WanCausalConv3d):
            side_w, _, side_h, _, _, _ = module._padding
            module.padding = (0, side_h, side_w)
            module.forward = MethodType(_convolve, module)
        elif isinstance(module, WanUpsample):
            module.forward = MethodType(nn.Upsample.forward, module)
        elif isinstance(module, WanRMS_norm):
            module.forward = MethodType(_normalise, module)
        if isinstance(getattr(module, "nonlinearity", None), nn.SiLU):
            # In these classes it follows the norms of the same module and nothing else.
            for norm in (each for each in module.children() if isinstance(each, WanRMS_norm)):
                norm.silu = True
            module.nonlinearity = nn.Identity()


def _convolve(layer: Any, x: Tensor, cache_x: Tensor | None = None) -> Tensor:
    """The stock layer's causal convolution: what it pads in space, the convolution itself pads."""
    past = layer._padding[4]
    if cache_x is not None and past > 0:
        x = torch.cat([cache_x.to(x.device), x], dim=2)
        past -= cache_x.shape[2]
    if past > 0:
        x = functional.pad(x, (0, 0, 0, 0, past, 0))
    out: Tensor = layer._conv_forward(x, layer.weight, layer.bias)
    return out


def _normalise(layer: Any, x: Tensor) -> Tensor:
    silu = getattr(layer, "silu", False)
    if not fusing.admitted(x.device) or not layer.channel_first or isinstance(layer.bias, Tensor):
        normed: Tensor = type(layer).forward(layer, x)
        return functional.silu(normed) if silu else normed
    from models.speed import kernels

    last = x.movedim(1, -1)  # a view, and contiguous where the channels lie side by side
    rows = last.reshape(-1, last.shape[-1])
    out = kernels.unit_silu(rows, layer.gamma.reshape(-1), scale=layer.scale, silu=silu)
    return out.reshape(last.shape).movedim(-1, 1)
