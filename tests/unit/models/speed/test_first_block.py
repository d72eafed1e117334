"""Guidance passes that share the first block's self-attention, against the stock class."""

from __future__ import annotations

import copy
import gc
from typing import Any

import pytest
import torch
from torch import Tensor

from models.common.residency import Places, Residency
from models.speed.compiling import compile_blocks
from models.speed.first_block import share
from tests.unit.models.speed.networks import wan_inputs


@pytest.fixture
def shared(stock: Any) -> Any:
    network = copy.deepcopy(stock)
    share(network)
    return network


def text(seed: int) -> Tensor:
    given: Tensor = wan_inputs(seed=seed)["encoder_hidden_states"]
    return given


def attentions(network: Any) -> list[int]:
    """Grows by the index of a block whenever its self-attention is computed."""
    computed: list[int] = []
    for index, block in enumerate(network.blocks):
        block.attn1.register_forward_hook(lambda *_, index=index: computed.append(index))
    return computed


def guided(network: Any, given: dict[str, Any]) -> list[Tensor]:
    """Both passes of a step."""
    return [network(**given | {"encoder_hidden_states": text(seed)}, return_dict=False)[0] for seed in (5, 6)]


@pytest.mark.parametrize("timestep", [torch.tensor([500]), torch.tensor([[0.0] * 16 + [500.0] * 32])])
def test_given_two_passes_over_the_same_latents_then_the_first_attention_is_computed_once(
    stock: Any, shared: Any, timestep: Tensor
) -> None:
    given = wan_inputs() | {"timestep": timestep}
    computed = attentions(shared)

    outs = guided(shared, given)

    assert computed == [0, 1, 1]
    assert not torch.equal(*outs), "each pass sees its own text"
    for out, reference in zip(outs, guided(stock, given), strict=True):
        assert torch.equal(out, reference), "to the bit"


def test_given_other_latents_or_another_time_then_nothing_is_taken_over(stock: Any, shared: Any) -> None:
    given = wan_inputs()
    others = [wan_inputs(seed=2), given | {"timestep": torch.tensor([400])}]
    for other in others:
        guided(shared, given)
        shared(**given)  # whose attention is kept for a pass that never comes

        out = shared(**other, return_dict=False)[0]

        assert torch.equal(out, stock(**other, return_dict=False)[0])


def test_given_latents_that_were_written_to_meanwhile_then_they_are_attended_to_anew(stock: Any, shared: Any) -> None:
    given = wan_inputs()
    shared(**given)
    given["hidden_states"].mul_(0.5)

    assert torch.equal(shared(**given, return_dict=False)[0], stock(**given, return_dict=False)[0])


def test_given_inference_tensors_then_nothing_is_shared(stock: Any, shared: Any) -> None:
    computed = attentions(shared)
    with torch.inference_mode():
        given = {name: value.clone() for name, value in wan_inputs().items()}
        outs = guided(shared, given)
        references = guided(stock, given)

    assert computed == [0, 1, 0, 1]
    assert all(torch.equal(*pair) for pair in zip(outs, references, strict=True))


def test_given_latents_that_are_gone_then_so_is_what_was_kept_for_them(shared: Any) -> None:
    given = wan_inputs()
    shared(**given)
    kept = shared.blocks[0].forward._kept
    assert len(kept) == 1

    guided(shared, wan_inputs(seed=2))
    assert len(kept) == 1, "the second pass takes what the first one kept"
    del given
    gc.collect()

    assert len(kept) == 0


def test_given_compiled_blocks_then_both_halves_are_compiled_and_make_the_bits_of_the_whole(
    stock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    compile_ = torch.compile

    def noted(forward: Any, **options: Any) -> Any:
        compiled.append(forward.__name__)
        return compile_(forward, **options)

    monkeypatch.setattr(torch, "compile", noted)
    whole, halves = (copy.deepcopy(stock).to(torch.bfloat16) for _ in range(2))
    compile_blocks(whole)
    compiled.clear()
    compile_blocks(halves)
    share(halves)

    assert compiled == ["forward", "forward", "_self_attention", "_after_self_attention"]
    given = wan_inputs(torch.bfloat16)
    references = [_in_bfloat16(whole, given, seed) for seed in (5, 6)]
    for seed, reference in zip((5, 6), references, strict=True):
        assert torch.equal(_in_bfloat16(halves, given, seed), reference), (
            "a job may go on where the placement is another"
        )


def _in_bfloat16(network: Any, given: dict[str, Any], seed: int) -> Tensor:
    with torch.no_grad():
        out: Tensor = network(**given | {"encoder_hidden_states": text(seed).to(torch.bfloat16)}, return_dict=False)[0]
    return out


@pytest.mark.parametrize(
    ("residency", "computed"),
    [
        (Residency(keep_text_encoder=True, tier="exact"), [0, 1, 1]),
        (Residency(keep_text_encoder=True, tier="exact", denoiser="streamed"), [0, 1, 0, 1]),
        (Residency(keep_text_encoder=True), [0, 1, 0, 1]),
    ],
)
def test_only_where_the_network_is_resident_and_may_be_changed_do_passes_share(
    stock: Any, residency: Residency, computed: list[int]
) -> None:
    network = copy.deepcopy(stock)
    Places(residency, torch.device("cpu")).settle(denoisers=[network], vae=torch.nn.Identity())
    found = attentions(network)

    guided(network, wan_inputs())

    assert found == computed
