"""Streamed blocks and host copies change where weights lie, and not one bit of the result."""

import pytest
import torch

from models.speed import host_copy
from models.speed.host_copy import HostCopy
from models.speed.streaming import Slots, stream_blocks
from tests.unit.models.speed.networks import tiny_wan, wan_inputs

CPU = torch.device("cpu")


def output(network: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        sample: torch.Tensor = network(**wan_inputs()).sample
    return sample


def test_given_two_experts_of_odd_length_when_they_share_slots_then_each_makes_its_own_bits() -> None:
    references = [output(tiny_wan(seed, num_layers=3)) for seed in (0, 1)]
    slots = Slots(CPU)
    experts = [tiny_wan(seed, num_layers=3) for seed in (0, 1)]
    for expert in experts:
        stream_blocks(expert, slots)

    for turn in (0, 1, 0, 0, 1):
        assert torch.equal(output(experts[turn]), references[turn])


def test_given_a_streamed_network_then_only_two_blocks_have_memory_of_their_own_on_the_device() -> None:
    network = tiny_wan(num_layers=5)
    slots = Slots(CPU)
    stream_blocks(network, slots)

    places = {block.ffn.net[2].weight.untyped_storage().data_ptr() for block in network.blocks}

    assert len(places) == 2


def test_given_a_host_copy_when_it_visits_and_leaves_then_the_network_computes_the_same_and_ties_hold() -> None:
    reference = output(tiny_wan())
    network = tiny_wan()
    network.twin = torch.nn.Linear(48, 48)
    network.twin.weight = network.blocks[0].attn1.to_q.weight
    copy = HostCopy(network)

    copy.bring(CPU)
    assert torch.equal(output(network), reference)
    assert network.twin.weight is network.blocks[0].attn1.to_q.weight
    there = network.proj_out.weight.data_ptr()
    copy.leave()

    assert network.proj_out.weight.data_ptr() != there
    assert torch.equal(output(network), reference)


def test_given_a_host_copy_when_it_is_pinned_then_what_it_copies_is_gone_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = tiny_wan()
    inside: list[bool] = []

    def pin(memory: torch.Tensor) -> None:
        bounds = range(memory.data_ptr(), memory.data_ptr() + memory.numel())
        inside.extend(parameter.data_ptr() in bounds for parameter in network.parameters())

    monkeypatch.setattr(host_copy, "_pin", pin)
    HostCopy(network)

    assert inside
    assert all(inside)
