"""fp8 attention: what its numbers and scales mean (on a CPU too), and cuDNN's kernel where there is a Hopper GPU."""

from __future__ import annotations

import sys

import pytest
import torch
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from torch import Tensor
from torch.nn import functional

from models.speed import attention, fp8_attention

HOPPER = torch.cuda.is_available() and torch.cuda.get_device_capability() >= (9, 0)
DEVICE = torch.device("cuda" if HOPPER else "cpu")


def inputs(*, keys: int = 1531) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(4)
    query, key, value = (torch.randn(1, n, 4, 128, device=DEVICE).bfloat16() for n in (301, keys, keys))
    return query, key, value


def error(out: Tensor, query: Tensor, key: Tensor, value: Tensor) -> float:
    wide = [tensor.float().transpose(1, 2) for tensor in (query, key, value)]
    reference = functional.scaled_dot_product_attention(wide[0], wide[1], wide[2]).transpose(1, 2)
    return float((out.float() - reference).norm() / reference.norm())


def test_fp8_attention_stays_within_the_bound_of_the_fast_tier_and_out_of_the_exact_ones() -> None:
    given = inputs()

    found = error(fp8_attention.attend(*given), *given)

    assert attention.BOUNDS["exact"] < found < attention.BOUNDS["fast"]


@pytest.mark.parametrize("size", [1e-4, 1.0, 300.0])
def test_the_scales_follow_the_numbers(size: float) -> None:
    query, key, value = inputs()
    value = value * size

    assert error(fp8_attention.attend(query, key, value), query, key, value) < attention.BOUNDS["fast"]


def test_what_all_keys_have_in_common_costs_no_accuracy() -> None:
    query, key, value = inputs()
    common = key + 20 * torch.randn(1, 1, 4, 128, device=DEVICE).bfloat16()

    assert error(fp8_attention.attend(query, common, value), query, common, value) < attention.BOUNDS["fast"]


def test_a_shape_that_cudnn_does_not_take_is_told_once_and_attended_to_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("no engine")

    monkeypatch.setattr(fp8_attention, "_Plan", refused)
    monkeypatch.setattr(fp8_attention, "fp8_attention", fp8_attention.fp8_attention._init_fn)
    fp8_attention._plan.cache_clear()
    given = inputs()

    errors = [error(fp8_attention.attend(*given), *given) for _ in range(2)]

    assert errors[0] == errors[1] < attention.BOUNDS["fast"]
    assert [record.getMessage() for record in caplog.records] == ["no fp8 attention for a shape"]
    fp8_attention._plan.cache_clear()


def test_values_of_zero_give_zero() -> None:
    query, key, value = inputs()

    assert not fp8_attention.attend(query, key, torch.zeros_like(value)).any()


def test_short_texts_and_masks_go_to_the_stock_kernel() -> None:
    query, key, value = inputs(keys=fp8_attention.FEWEST_KEYS - 1)
    attention.register(fp8_attention.NAME)
    backend = AttentionBackendName(fp8_attention.NAME)
    mask = torch.ones(1, 1, query.shape[1], key.shape[1], dtype=torch.bool, device=DEVICE)

    stock = dispatch_attention_fn(query, key, value, backend=attention.STOCK)

    assert torch.equal(dispatch_attention_fn(query, key, value, backend=backend), stock)
    masked = dispatch_attention_fn(query, key, value, attn_mask=mask, backend=backend)
    assert torch.equal(masked, dispatch_attention_fn(query, key, value, attn_mask=mask, backend=attention.STOCK))


def test_the_kernel_can_be_asked_for_by_name_and_compiled_in_one_graph() -> None:
    attention.register(fp8_attention.NAME)
    backend = AttentionBackendName(fp8_attention.NAME)
    given = inputs()

    compiled = torch.compile(lambda q, k, v: dispatch_attention_fn(q, k, v, backend=backend), fullgraph=True)

    assert backend == fp8_attention.NAME
    assert error(compiled(*given), *given) < attention.BOUNDS["fast"]


@pytest.mark.parametrize(
    ("name", "head_dim", "capability", "said"),
    [
        (fp8_attention.NAME, 128, (9, 0), ""),
        (fp8_attention.NAME, 128, (10, 0), ""),
        (fp8_attention.NAME, 128, (8, 9), "needs compute capability 9.0, this is 8.9"),
        (fp8_attention.NAME, 64, (9, 0), "no gain with heads of 64"),
        (attention.FLASH_4, 64, (9, 0), ""),
        (attention.FLASH_4, 128, (8, 6), "needs compute capability 9.0, this is 8.6"),
        (attention.STOCK, 64, (7, 5), ""),
    ],
)
def test_a_kernel_is_only_tried_where_it_can_gain(
    name: str, head_dim: int, capability: tuple[int, int], said: str
) -> None:
    reason = attention.hindrance(name, head_dim=head_dim, capability=capability)

    assert said in reason if said else reason == ""


def test_without_the_package_the_gate_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cudnn", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    attention.register.cache_clear()

    tried = attention.try_kernel(fp8_attention.NAME, DEVICE, head_dim=128, bound=attention.BOUNDS["fast"])

    assert not tried.admitted
    assert "cudnn" in tried.reason
