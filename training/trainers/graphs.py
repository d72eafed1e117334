"""Training steps as CUDA graphs: at this size a step is a few hundred short kernels, and launching them takes longer
than running them."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from training.data.pool import Batch
from training.data.stream import ClipKind

if TYPE_CHECKING:
    from training.trainers.denoiser import Choice

WARM_UPS = 3
"""Steps before a capture: compilation and the allocations of libraries must be over."""

Step = Callable[[Batch, "Choice"], Tensor]


@dataclass(frozen=True, kw_only=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    batch: Batch
    choice: "Choice"
    loss: Tensor


def _tensors(batch: Batch) -> list[Tensor]:
    values = (getattr(batch, field.name) for field in fields(batch))
    return [value for value in values if isinstance(value, Tensor)]


def _copied(batch: Batch) -> Batch:
    values: dict[str, Any] = {field.name: getattr(batch, field.name) for field in fields(batch)}
    copies: dict[str, Any] = {name: value.clone() for name, value in values.items() if isinstance(value, Tensor)}
    return replace(batch, **copies)


class StepGraphs:
    """A step function, captured once for each kind of clip and of attention, and replayed from then on."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.warm: dict[tuple[ClipKind, bool], int] = {}
        self.captured: dict[tuple[ClipKind, bool], _Captured] = {}
        self.pool: Any = None

    def __call__(self, batch: Batch, choice: "Choice") -> Tensor:
        """Do one step; returns its loss."""
        key = (batch.kind, choice.sparse)
        if key in self.captured:
            return self._replay(self.captured[key], batch, choice)
        if self.warm.setdefault(key, 0) < WARM_UPS:
            self.warm[key] += 1
            return self._aside(batch, choice)
        self.captured[key] = self._capture(batch, choice)
        return self._replay(self.captured[key], batch, choice)

    def _aside(self, batch: Batch, choice: "Choice") -> Tensor:
        """An ordinary step on a stream of its own, as captures ask of what comes before them."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            loss = self.step(batch, choice)
        torch.cuda.current_stream().wait_stream(stream)
        return loss

    def _capture(self, batch: Batch, choice: "Choice") -> _Captured:
        given, chosen = _copied(batch), replace(choice, padded_length=choice.padded_length.clone())
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        # The graphs never run at once, so they share one pool of memory.
        with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
            loss = self.step(given, chosen)
        self.pool = graph.pool()
        return _Captured(graph=graph, batch=given, choice=chosen, loss=loss)

    def _replay(self, captured: _Captured, batch: Batch, choice: "Choice") -> Tensor:
        for held, new in zip(_tensors(captured.batch), _tensors(batch), strict=True):
            held.copy_(new)
        captured.choice.padded_length.copy_(choice.padded_length)
        captured.graph.replay()
        return captured.loss
