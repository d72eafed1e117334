"""Three-dimensional convolutions on the CPU, by oneDNN.

torch 2.13 unrolls a `Conv3d` on the CPU into a matrix product (`slow_conv3d`), although oneDNN, which it carries and
uses in two dimensions, does the same sums six times as fast. They come in another order, so that results differ in
their last bits: it is an option (`ModelSpec.cpu_kernels`), and part of a checkpoint's fingerprint.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor


def use_onednn(network: torch.nn.Module) -> None:
    """Makes every `Conv3d` in `network` run by oneDNN where it is given float32 on the CPU; elsewhere as before.

    The weights are laid out channels last, which oneDNN then keeps to. Does nothing in a torch without oneDNN.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    for module in network.modules():
        if isinstance(module, torch.nn.Conv3d) and module.padding_mode == "zeros":
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last_3d)
            module._conv_forward = MethodType(_convolve, module)  # type: ignore[method-assign]


def _convolve(layer: Any, given: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if given.device.type != "cpu" or given.dtype != torch.float32:
        return torch.nn.functional.conv3d(
            given, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups
        )
    return torch.mkldnn_convolution(given, weight, bias, layer.padding, layer.stride, layer.dilation, layer.groups)
