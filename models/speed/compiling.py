"""Compiling the repeated blocks: norms, modulation, rotary embedding and activations fuse around the products."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch._dynamo.exc import TorchDynamoException

from models.speed.blocks import blocks_of

_log = logging.getLogger(__name__)

# One compilation serves all blocks of a class; each new size, LoRA set or dtype is one more. With torch's limit of 8
# a worker that met the ninth would fail in a full graph, or fall back to the slow path without one.
_RECOMPILE_LIMIT = 64


def compile_blocks(denoiser: nn.Module, *, full_graph: bool = True, dynamic: bool | None = False) -> None:
    """Compiles each block's forward where it stands; the network's class and its parameters' names stay as they are.

    Whatever is put around a block afterwards (streaming, step caching, splitting over GPUs) stays outside of the graph.
    The first forward of each size pays some ten seconds. Kernels are chosen by rule, not by timing them
    (`deterministic`), so that another process makes the same bits. `dynamic` None: the second length of a dimension
    leaves it open, where every prompt has its own.
    """
    from models.speed.reductions import RowsInRegisters  # brings the compiler with it, which takes seconds

    torch._dynamo.config.recompile_limit = _RECOMPILE_LIMIT
    torch._inductor.config.deterministic = True
    torch._inductor.config.inductor_choices_class = RowsInRegisters
    for block in blocks_of(denoiser):
        block.forward = Compiled(block.forward, fullgraph=full_graph, dynamic=dynamic)


class Compiled:
    """A compiled forward. A machine that cannot compile (no C compiler, say) runs the stock one, and says so once a
    block: slower by some tenth, and no job is lost."""

    def __init__(self, forward: Callable[..., Any], **options: Any) -> None:
        self._stock = forward
        self._options = options
        self._run: Callable[..., Any] = torch.compile(forward, **options)

    def like(self, forward: Callable[..., Any]) -> Compiled:
        """Another forward, compiled as this one is."""
        return Compiled(forward, **self._options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._run(*args, **kwargs)
        except TorchDynamoException as error:
            if self._run is self._stock:
                raise
            _log.warning("compilation failed, the stock block runs", extra={"error": str(error)[:500]})
            self._run = self._stock
            return self._run(*args, **kwargs)
