"""Fused operators against the stock classes, on the CPU by their plain expressions; the kernels: tests/kernels."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from diffusers.models.activations import GELU
from peft import LoraConfig
from torch import Tensor

from models.speed import fusing
from models.speed.attention import use
from models.speed.fusing import FusedWanProcessor, admitted, fuse
from models.speed.quantised import QuantisedLinear, quantise
from models.speed.trimming import prepare
from tests.unit.models.speed.networks import wan_inputs

CPU = torch.device("cpu")


@pytest.fixture
def fused(stock: Any) -> Any:
    network = copy.deepcopy(stock)
    fuse(network)
    return network


def forward(network: Any, dtype: torch.dtype = torch.float32) -> Tensor:
    out: Tensor = network(**wan_inputs(dtype))[0]
    return out


def test_given_a_wan_network_when_fused_then_self_attention_alone_is_exchanged_and_forwards_are_equal(
    stock: Any, fused: Any
) -> None:
    for block in fused.blocks:
        assert type(block.attn1.processor) is FusedWanProcessor
        assert type(block.attn2.processor) is not FusedWanProcessor
    torch.testing.assert_close(forward(fused), forward(stock), rtol=1e-4, atol=1e-5)


def test_given_bfloat16_then_a_fused_network_is_as_near_to_float32_as_the_stock_one(stock: Any, fused: Any) -> None:
    reference = forward(stock)

    errors = [
        float((forward(network.to(torch.bfloat16), torch.bfloat16).float() - reference).norm() / reference.norm())
        for network in (fused, copy.deepcopy(stock))
    ]

    assert 0 < errors[0] < 1.2 * errors[1]


def test_given_a_fused_network_then_it_compiles_in_one_graph_and_its_attention_can_be_chosen(
    stock: Any, fused: Any
) -> None:
    use(fused, "_native_flash")
    assert all(block.attn1.processor._attention_backend is not None for block in fused.blocks)
    use(fused, "native")
    for block in fused.blocks:
        block.forward = torch.compile(block.forward, fullgraph=True, backend="aot_eager")

    torch.testing.assert_close(forward(fused), forward(stock), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("change", ["quantised", "lora"])
def test_given_other_layers_in_the_place_of_a_product_then_gelu_comes_after_them(
    stock: Any, fused: Any, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = copy.deepcopy(stock)
    for network in (plain, fused):
        if change == "quantised":
            quantise(network, "int8")
            assert isinstance(network.blocks[0].ffn.net[0].proj, QuantisedLinear)
        else:
            torch.manual_seed(5)
            network.add_adapter(LoraConfig(r=2, target_modules=["net.0.proj", "to_q"], init_lora_weights=False))
    monkeypatch.setattr(fusing, "linear_gelu", _never)

    torch.testing.assert_close(forward(fused), forward(plain), rtol=2e-2, atol=2e-2)


def _never(*_: Any) -> Tensor:
    raise AssertionError("the product is not a plain linear layer")


def test_given_another_gelu_then_it_stays_as_it_is() -> None:
    layer = GELU(8, 16, approximate="none")
    given = torch.randn(3, 8)
    before = layer(given)

    fuse(layer)

    assert torch.equal(layer(given), before)


def test_given_a_cpu_then_nothing_is_fused() -> None:
    assert not fusing.admitted(CPU)


@pytest.mark.parametrize(("trial", "operator"), [("_rotation_error", "rms_rotate"), ("_gelu_error", "linear_gelu")])
def test_given_an_operator_that_is_wrong_then_its_error_is_over_the_bound(
    trial: str, operator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error: Callable[[torch.device], float] = getattr(fusing, trial)
    assert 0 < error(CPU) < fusing.BOUND
    right = getattr(fusing, operator)

    monkeypatch.setattr(fusing, operator, lambda *given: right(*given) * 1.01)

    assert error(CPU) > fusing.BOUND


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Has the gate believe in a GPU: each trial is to be given."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    admitted.cache_clear()
    yield
    admitted.cache_clear()


@pytest.mark.usefixtures("on_a_gpu")
def test_given_a_gpu_too_small_for_one_kernel_then_the_others_are_taken(
    stock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_resources(_: torch.device) -> float:
        raise RuntimeError("out of resource: shared memory")

    monkeypatch.setattr(fusing, "_TRIALS", {"denoiser": (lambda _: 1e-3,), "short text": (out_of_resources,)})
    network = copy.deepcopy(stock)
    prepare(network)

    fuse(network)

    assert admitted(torch.device("cuda"))
    assert all(type(block.attn1.processor) is FusedWanProcessor for block in network.blocks)
    assert not any(block.attn2.processor.fused for block in network.blocks)


@pytest.mark.usefixtures("on_a_gpu")
def test_given_a_kernel_that_rounds_too_much_then_its_group_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        fusing, "_TRIALS", {"denoiser": (lambda _: 1e-3, lambda _: 5e-3), "short text": (lambda _: 1e-3,)}
    )

    assert not admitted(torch.device("cuda"))
    assert admitted(torch.device("cuda"), "short text")
