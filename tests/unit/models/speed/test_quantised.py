"""Quantised linears compute what their weights say, within the error that eight bits allow, and stay linears."""

import pytest
import torch
from torch import nn

from models.speed.quantised import Format, QuantisedLinear, quantise, quantise_rows
from tests.unit.models.speed.networks import tiny_wan, wan_inputs

# ||out - ref|| / ||ref|| on normal inputs. int8 by row: steps of 1/127 of a row's largest number, some 3.5 sigma, make
# 0.8% on either operand; e4m3's three bits of mantissa make 2.6% on either.
BOUNDS: dict[Format, float] = {"int8": 0.015, "float8": 0.05}
FORMATS: list[Format] = ["int8", "float8"]


def relative(out: torch.Tensor, reference: torch.Tensor) -> float:
    return float((out.double() - reference.double()).norm() / reference.double().norm())


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("rows", [1, 17, 300])
def test_given_a_linear_when_quantised_then_its_output_is_within_the_formats_error(format: Format, rows: int) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(256, 128, dtype=torch.bfloat16)
    inputs = torch.randn(1, rows, 256, dtype=torch.bfloat16)
    reference = nn.functional.linear(inputs.double(), linear.weight.double(), linear.bias.double())

    made = QuantisedLinear.of(linear, format)
    out = made(inputs)

    assert out.shape == (1, rows, 128)
    assert out.dtype == torch.bfloat16
    assert 1e-4 < relative(out, reference) < BOUNDS[format]
    assert made.weight.element_size() == 1


@pytest.mark.parametrize("format", FORMATS)
def test_given_rows_of_very_different_sizes_then_each_has_a_scale_of_its_own(format: Format) -> None:
    torch.manual_seed(1)
    matrix = torch.randn(64, 256) * torch.logspace(-6, 6, 64)[:, None]
    matrix[5] = 0

    numbers, scale = quantise_rows(matrix, format)
    back = numbers.float() * scale

    errors = [relative(back[row], matrix[row]) for row in range(64) if row != 5]
    assert max(errors) < BOUNDS[format]
    assert torch.equal(back[5], matrix[5])


@pytest.mark.parametrize("format", FORMATS)
def test_given_a_denoiser_then_its_blocks_are_quantised_and_it_is_still_asked_for_its_own_dtype(format: Format) -> None:
    network = tiny_wan().to(torch.bfloat16)
    inputs = wan_inputs(torch.bfloat16)
    with torch.no_grad():
        reference = tiny_wan().double()(**wan_inputs(torch.float64)).sample
        plain = relative(network(**inputs).sample, reference)
        count = quantise(network, format)
        quantised = relative(network(**inputs).sample, reference)

    assert count == 2 * 10, "eight projections and two feed-forward layers in each of two blocks"
    assert network.dtype == torch.bfloat16, "latents are cast to the network's dtype"
    assert plain < quantised < 0.2


def test_given_many_rows_then_products_are_made_in_parts_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    made = QuantisedLinear.of(nn.Linear(64, 64), "int8")
    inputs = torch.randn(100, 64)
    whole = made(inputs)

    monkeypatch.setattr("models.speed.quantised._ROWS_AT_A_TIME", 33)

    assert torch.equal(made(inputs), whole)
