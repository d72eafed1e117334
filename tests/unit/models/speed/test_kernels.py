"""Our Triton kernels against float64: on a CUDA device, or in Triton's interpreter where the package is installed."""

from __future__ import annotations

import os

import pytest
import torch
from torch import Tensor
from torch.nn import functional

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
if DEVICE.type == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read when a kernel is defined
pytest.importorskip("triton", reason="needs triton, which comes with torch for CUDA")

from models.speed import fusing, kernels  # noqa: E402

# One rounding to bfloat16; the interpreter cuts the last bits off instead of rounding them.
BOUNDS = {torch.float32: 1e-6, torch.bfloat16: 4e-3}


def error(out: Tensor, reference: Tensor) -> float:
    return float((out.double() - reference).norm() / reference.norm())


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize(("heads", "head_dim"), [(5, 16), (40, 128), (1, 64)])
def test_given_rows_then_they_are_normed_over_all_heads_and_each_head_is_rotated(
    dtype: torch.dtype, heads: int, head_dim: int
) -> None:
    torch.manual_seed(1)
    x = torch.randn(2, 7, heads * head_dim, device=DEVICE).to(dtype)
    weight = torch.randn(heads * head_dim, device=DEVICE).to(dtype)
    angle = torch.randn(1, 7, 1, head_dim // 2, device=DEVICE).repeat_interleave(2, dim=-1)

    out = kernels.rms_rotate(x, weight, angle.cos(), angle.sin(), eps=1e-6, head_dim=head_dim)

    reference = fusing.plain_rms_rotate(x.double(), weight.double(), angle.cos(), angle.sin(), 1e-6, head_dim)
    assert error(out, reference) < BOUNDS[dtype]


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("silu", [True, False])
@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("shape", [(37, 12), (5, 96), (1, 384)])
def test_given_rows_then_each_is_made_one_long_and_activated(
    dtype: torch.dtype, silu: bool, shape: tuple[int, int], strided: bool
) -> None:
    torch.manual_seed(2)
    rows, gain = torch.randn(*shape, device=DEVICE).to(dtype), torch.randn(shape[1], device=DEVICE).to(dtype)
    rows[0] = 0  # has no direction, and stays zero
    rows = rows.t().contiguous().t() if strided else rows

    out = kernels.unit_silu(rows, gain, scale=shape[1] ** 0.5, silu=silu)

    reference = functional.normalize(rows.double(), dim=1) * shape[1] ** 0.5 * gain.double()
    reference = fusing.plain_unit_silu(rows.double(), gain.double()) if silu else reference
    assert not out[0].any()
    assert torch.isfinite(out).all()
    assert float((out.double() - reference).norm()) <= BOUNDS[dtype] * float(reference.norm())
