"""A denoiser larger than the GPU: its blocks pass through two slots of GPU memory, one copied while one computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models.speed.blocks import blocks_of, outside_of
from models.speed.host_copy import HostCopy

_SLOTS = 2


class Slots:
    """The GPU memory that streamed blocks share, also those of several experts, of which one works at a time."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._memory: list[Tensor | None] = [None] * _SLOTS
        self._holds: list[HostCopy | None] = [None] * _SLOTS
        on_gpu = device.type == "cuda"
        self._copies = torch.cuda.Stream(device) if on_gpu else None  # type: ignore[no-untyped-call]
        self._ready = [torch.cuda.Event() for _ in range(_SLOTS)] if on_gpu else []  # type: ignore[no-untyped-call]

    def reserve(self, num_bytes: int) -> None:
        """Makes every slot at least so large; what they hold is forgotten if they grow."""
        for index, memory in enumerate(self._memory):
            if memory is None or memory.numel() < num_bytes:
                self._memory[index] = torch.empty(num_bytes, dtype=torch.uint8, device=self.device)
                self._holds[index] = None

    def fetch(self, index: int, block: HostCopy) -> None:
        """Starts copying `block` into the slot, once everything queued so far has run (it may use the slot)."""
        if self._holds[index] is block:
            return
        self._holds[index] = block
        if self._copies is None:
            self._slot(index, block).copy_(block.host)
            return
        self._copies.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._copies):
            self._slot(index, block).copy_(block.host, non_blocking=True)
            self._ready[index].record(self._copies)

    def give(self, index: int, block: HostCopy) -> None:
        """Binds `block`'s weights to the slot; work queued from now on waits for the copy."""
        if self._copies is not None:
            self._ready[index].wait(torch.cuda.current_stream(self.device))
        self.bind(index, block)

    def bind(self, index: int, block: HostCopy) -> None:
        """Binds `block`'s weights to the slot, whatever it holds now."""
        block.bind(self._slot(index, block))

    def _slot(self, index: int, block: HostCopy) -> Tensor:
        memory = self._memory[index]
        assert memory is not None
        return memory[: block.num_bytes]


def stream_blocks(denoiser: nn.Module, slots: Slots) -> None:
    """Keeps `denoiser`'s blocks in pinned host memory; each comes to the GPU before it runs. The rest goes there for
    good, as do the blocks' buffers. The same bits as a resident network: nothing but places changes."""
    for child in outside_of(denoiser):
        child.to(slots.device)
    blocks = blocks_of(denoiser)
    _move_own(denoiser, slots.device)
    for module in (module for block in blocks for module in block.modules()):
        _move_buffers(module, slots.device)
    copies = [HostCopy(block, buffers=False) for block in blocks]
    slots.reserve(max(copy.num_bytes for copy in copies))
    for position, block in enumerate(blocks):
        # At rest they belong to the GPU: an adapter that is added later is put where its layer's weights are.
        slots.bind(position % _SLOTS, copies[position])
        block.forward = _streamed(block.forward, position, copies, slots)


def _move_own(module: nn.Module, device: torch.device) -> None:
    for parameter in module._parameters.values():
        if parameter is not None:
            parameter.data = parameter.data.to(device)
    _move_buffers(module, device)


def _move_buffers(module: nn.Module, device: torch.device) -> None:
    for name, buffer in module._buffers.items():
        module._buffers[name] = None if buffer is None else buffer.to(device)


def _streamed(forward: Callable[..., Any], position: int, copies: list[HostCopy], slots: Slots) -> Callable[..., Any]:
    following = (position + 1) % len(copies)

    def run(*args: Any, **kwargs: Any) -> Any:
        slots.fetch(position % _SLOTS, copies[position])
        slots.give(position % _SLOTS, copies[position])
        if following % _SLOTS != position % _SLOTS:
            slots.fetch(following % _SLOTS, copies[following])
        return forward(*args, **kwargs)

    return run
