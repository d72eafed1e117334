"""Linear layers in int8 or fp8: weights by output channel, activations by row (one scale a token), made on the fly.

The product itself runs on the integer or fp8 units, at up to twice the rate of bfloat16; a weight takes one byte.
The layers stay `nn.Linear`s with a parameter `weight`, so that LoRA adapters find them and run beside them in bfloat16.
Row-wise scales as in https://arxiv.org/abs/2208.07339.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.speed.blocks import blocks_of

Format = Literal["int8", "float8"]
_FP8 = torch.float8_e4m3fn
_LARGEST: dict[Format, float] = {"int8": 127.0, "float8": 448.0}
_SMALLEST_SCALE = 1e-12  # a row of zeros has no scale of its own
# `torch._int_mm` on CUDA wants more than 16 rows, and sides that are multiples of 8; `_scaled_mm` multiples of 16.
_FEWEST_ROWS = 32
_SIDE: dict[Format, int] = {"int8": 8, "float8": 16}
# int32 sums of so many rows at a time: 1.8 GB for the widest layer of Wan A14B, whatever the video's length.
_ROWS_AT_A_TIME = 32_768


class QuantisedLinear(nn.Linear):
    """`x @ weight.T + bias` with quantised operands. `weight` [out, in] holds bytes (int8, or the bits of fp8), not
    floating point numbers: a network's dtype is asked from its floating parameters, and must stay bfloat16."""

    weight_scale: Tensor
    format: Format

    @classmethod
    def of(cls, linear: nn.Linear, format: Format) -> Self:
        """`linear`'s weights quantised on the device where they lie."""
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made.in_features, made.out_features, made.format = linear.in_features, linear.out_features, format
        numbers, scale = quantise_rows(linear.weight.detach(), format)
        stored = numbers if format == "int8" else numbers.view(torch.uint8)
        made.weight = nn.Parameter(stored, requires_grad=False)
        made.register_buffer("weight_scale", scale.reshape(1, -1))
        made.bias = linear.bias
        return made

    def forward(self, input: Tensor) -> Tensor:
        rows = input.reshape(-1, self.in_features)
        parts = [self._product(part) for part in torch.split(rows, _ROWS_AT_A_TIME)]
        out = parts[0] if len(parts) == 1 else torch.cat(parts)
        return out.reshape(*input.shape[:-1], self.out_features)

    def dequantised(self) -> Tensor:
        """The weights as float32, [out, in]."""
        numbers = self.weight if self.format == "int8" else self.weight.view(_FP8)
        return numbers.float() * self.weight_scale.reshape(-1, 1)

    def _product(self, rows: Tensor) -> Tensor:
        missing = _FEWEST_ROWS - rows.shape[0]
        padded = functional.pad(rows, (0, 0, 0, missing)) if missing > 0 else rows
        numbers, scale = quantise_rows(padded, self.format)
        product = self._int8_product if self.format == "int8" else self._fp8_product
        return product(numbers, scale)[: rows.shape[0]].to(rows.dtype)

    def _int8_product(self, numbers: Tensor, scale: Tensor) -> Tensor:
        out = torch._int_mm(numbers, self.weight.t()).float() * scale * self.weight_scale
        return out if self.bias is None else out + self.bias.float()

    def _fp8_product(self, numbers: Tensor, scale: Tensor) -> Tensor:
        # The bias is added before the product is rounded and written, which spares a pass over it.
        out: Tensor = torch._scaled_mm(
            numbers,
            self.weight.view(_FP8).t(),
            scale_a=scale,
            scale_b=self.weight_scale,
            bias=None if self.bias is None else self.bias.to(torch.bfloat16),
            out_dtype=torch.bfloat16,
            use_fast_accum=True,
        )
        return out

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, format={self.format}"


def quantise_rows(matrix: Tensor, format: Format) -> tuple[Tensor, Tensor]:
    """`matrix` [rows, columns] as int8 or fp8 with a float32 scale for each row [rows, 1]: matrix = numbers x scale."""
    largest = _LARGEST[format]
    wide = matrix.float()
    scale = (wide.abs().amax(dim=1, keepdim=True) / largest).clamp(min=_SMALLEST_SCALE)
    scaled = (wide / scale).clamp(-largest, largest)
    return (scaled.round().to(torch.int8) if format == "int8" else scaled.to(_FP8)), scale


def quantise(denoiser: nn.Module, format: Format, *, compute: torch.device | None = None) -> int:
    """Exchanges the linear layers of `denoiser`'s blocks, one after the other; returns how many.

    Modulation ("norm") layers stay: they see one row a step, and their outputs scale everything. Each weight visits
    `compute` to be quantised and goes back to where it was.
    """
    count = 0
    for parent, name, linear in list(_candidates(denoiser, format)):
        home = linear.weight.device
        made = QuantisedLinear.of(linear.to(compute) if compute else linear, format)
        setattr(parent, name, made.to(home))
        count += 1
    return count


def quantisable(name: str, linear: nn.Linear, format: Format) -> bool:
    """Whether the layer of this name within its block is to be quantised."""
    side = _SIDE[format]
    return "norm" not in name and linear.in_features % side == 0 and linear.out_features % side == 0


def _candidates(denoiser: nn.Module, format: Format) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    for block in blocks_of(denoiser):
        for name, module in block.named_modules():
            if type(module) is nn.Linear and quantisable(name, module, format):
                parent, _, last = name.rpartition(".")
                yield block.get_submodule(parent), last, module


def supported(format: Format, device: torch.device) -> bool:
    """fp8 products need Ada or Hopper (8.9), int8 ones Turing (7.5)."""
    if device.type != "cuda":
        return format == "int8"
    return torch.cuda.get_device_capability(device) >= ((8, 9) if format == "float8" else (7, 5))
