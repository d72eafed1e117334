"""Our Triton kernels against float64: on a CUDA device, else in Triton's interpreter (`make test-kernels`)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

pytest.importorskip("triton", reason="needs triton, which `make test-kernels` brings")

from diffusers.models.autoencoders.autoencoder_kl_wan import DupUp3D

from models.speed import fusing, kernels, short_text, vae_kernels, wan_decoder

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# One rounding to bfloat16; the interpreter cuts the last bits off instead of rounding them.
BOUNDS = {torch.float32: 1e-6, torch.bfloat16: 4e-3}
# The interpreter multiplies no matrices of bfloat16; on a GPU products of float32 are TF32, and no kernel is given any.
MULTIPLIED = (torch.float16, torch.bfloat16) if DEVICE.type == "cuda" else (torch.float16, torch.float32)


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

    out = vae_kernels.unit_silu(rows, gain, scale=shape[1] ** 0.5, silu=silu)

    reference = functional.normalize(rows.double(), dim=1) * shape[1] ** 0.5 * gain.double()
    reference = wan_decoder.plain_unit_silu(rows.double(), gain.double()) if silu else reference
    assert not out[0].any()
    assert torch.isfinite(out).all()
    assert float((out.double() - reference).norm()) <= BOUNDS[dtype] * float(reference.norm())


def video(dtype: torch.dtype, *shape: int) -> Tensor:
    """Random, [batch, channels, frames, height, width], its channels side by side."""
    return torch.randn(*shape, device=DEVICE).to(dtype).contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("dtype", BOUNDS)
def test_given_a_bias_then_rows_are_made_long_with_it(dtype: torch.dtype) -> None:
    torch.manual_seed(4)
    rows, (gain, bias) = torch.randn(5, 24, device=DEVICE).to(dtype), torch.randn(2, 24, device=DEVICE).to(dtype)

    out = vae_kernels.unit_silu(rows, gain, bias, scale=24**0.5, silu=True)

    reference = wan_decoder.plain_unit_silu(rows.double() + bias.double(), gain.double())
    assert error(out, reference) < BOUNDS[dtype]


@pytest.mark.parametrize("dtype", BOUNDS)
def test_given_a_shortcut_then_it_and_the_bias_are_added(dtype: torch.dtype) -> None:
    torch.manual_seed(5)
    x, other = video(dtype, 2, 24, 3, 5, 4), video(dtype, 2, 24, 3, 5, 4)
    bias = torch.randn(24, device=DEVICE).to(dtype)
    reference = x.double() + bias.double().view(1, -1, 1, 1, 1) + other.double()

    assert error(vae_kernels.add_biased(x, bias, other), reference) < BOUNDS[dtype]


@pytest.mark.parametrize("doubled", [False, True])
def test_given_a_video_then_its_images_are_enlarged_in_the_order_of_time(
    doubled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(6)
    x = video(torch.bfloat16, 2, 24, 3, 5, 4)

    out = vae_kernels.enlarged(x, parts=2 if doubled else 1)

    monkeypatch.setattr(fusing, "admitted", lambda *_: False)
    assert torch.equal(out, wan_decoder.enlarged(x, doubled=doubled))
    assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(("factor_t", "given_channels"), [(1, 12), (2, 12), (1, 24), (2, 24)])
def test_given_a_smaller_video_then_each_of_its_values_is_added_where_the_stock_class_puts_it(
    factor_t: int, given_channels: int, first: bool
) -> None:
    torch.manual_seed(7)
    frames = 3 * factor_t - (factor_t - 1 if first else 0)
    x, given = video(torch.float32, 2, 12, frames, 10, 8), video(torch.float32, 2, given_channels, 3, 5, 4)
    stock = DupUp3D(given_channels, 12, factor_t=factor_t, factor_s=2)
    reference = x.double() + stock(given, first_chunk=first).double()

    out = vae_kernels.add_duplicates(x, given, factor_t=factor_t, factor_s=2, late=factor_t - 1 if first else 0)

    assert error(out, reference) < BOUNDS[torch.float32]


@pytest.mark.parametrize("dtype", MULTIPLIED)
@pytest.mark.parametrize("keys", [64, 128])
def test_given_few_keys_then_they_are_attended_to_with_their_bias(dtype: torch.dtype, keys: int) -> None:
    torch.manual_seed(3)
    query, key, value = (torch.randn(2, tokens, 3, 64, device=DEVICE).to(dtype) for tokens in (131, keys, keys))
    bias = torch.randn(keys, device=DEVICE)

    out = kernels.biased_attention(query, key, value, bias)

    reference = short_text.plain_biased_attention(query.double(), key.double(), value.double(), bias)
    assert error(out, reference) < BOUNDS[torch.bfloat16]


def test_the_gate_of_the_decoders_kernels_finds_roundings_alone() -> None:
    torch.manual_seed(8)

    assert 0 < wan_decoder.error_of_kernels(DEVICE) < fusing.BOUND
