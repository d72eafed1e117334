"""Compiled blocks compute what stock ones do; where compilation fails the stock ones run."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._dynamo.exc import BackendCompilerFailed
from torch._inductor.choices import InductorChoices
from torch._inductor.runtime.hints import ReductionHint

from models.speed.compiling import compile_blocks
from models.speed.reductions import RowsInRegisters
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


class Normed(torch.nn.Module):
    """A block with a norm over a long row."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.out = torch.nn.LayerNorm(2048), torch.nn.Linear(2048, 8)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.out(self.norm(rows))
        return out


def test_the_compiler_takes_the_choice_of_reductions_and_its_cache_knows_it(caplog: pytest.LogCaptureFixture) -> None:
    network = torch.nn.Module()
    network.blocks = torch.nn.ModuleList([Normed()])
    rows = torch.randn(3, 2048)
    with torch.no_grad():
        reference = network.blocks[0](rows)
        compile_blocks(network)
        torch.testing.assert_close(network.blocks[0](rows), reference)

    assert [record for record in caplog.records if record.name == compile_blocks.__module__] == [], "no fallback"
    key = torch._inductor.config.save_config_portable()["inductor_choices_class"]
    assert key == RowsInRegisters.uuid()


class Row(int):
    """A length as the compiler's symbols have it."""

    is_Integer = True


@pytest.mark.parametrize(("row", "read_once"), [(5120, True), (8192, True), (8193, False)])
def test_rows_that_fit_a_program_are_read_once(row: int, read_once: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InductorChoices, "should_use_persistent_reduction", lambda *_: False)
    features = SimpleNamespace(reduction_numel=Row(row), get_reduction_hint=lambda: ReductionHint.INNER)

    assert RowsInRegisters.should_use_persistent_reduction(features, False) is read_once
