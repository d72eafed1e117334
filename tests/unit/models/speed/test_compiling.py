"""Compiled blocks compute what stock ones do; where compilation fails the stock ones run."""

from typing import Any

import pytest
import torch
from torch._dynamo.exc import BackendCompilerFailed

from models.speed.compiling import compile_blocks
from models.speed.streaming import Slots, stream_blocks
from tests.unit.models.speed.networks import tiny_wan, wan_inputs


def output(network: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        sample: torch.Tensor = network(**wan_inputs()).sample
    return sample


def test_given_compiled_blocks_then_they_compute_the_same_also_when_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = output(tiny_wan())
    compiled = torch.compile
    # The graph is traced as on a GPU; making machine code of it would take this CPU half a minute.
    monkeypatch.setattr(torch, "compile", lambda forward, **given: compiled(forward, backend="eager", **given))
    network = tiny_wan()
    compile_blocks(network)

    torch.testing.assert_close(output(network), reference)
    stream_blocks(network, Slots(torch.device("cpu")))
    torch.testing.assert_close(output(network), reference)
    names = {name for name, _ in network.named_parameters()}
    assert names == {name for name, _ in tiny_wan().named_parameters()}, "LoRAs find their layers"


def test_given_a_machine_that_cannot_compile_then_the_stock_blocks_run_and_it_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reference = output(tiny_wan())

    def no_compiler(forward: Any, **_: Any) -> Any:
        def fail(*args: Any, **kwargs: Any) -> Any:
            raise BackendCompilerFailed(no_compiler, RuntimeError("no C compiler"), None)

        return fail

    monkeypatch.setattr(torch, "compile", no_compiler)
    network = tiny_wan()
    compile_blocks(network)

    assert torch.equal(output(network), reference)
    assert torch.equal(output(network), reference)
    assert len(caplog.records) == 2, "once a block"
