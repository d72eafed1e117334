"""A network's tensors as one pinned block of host memory, from which they reach the GPU in one copy.

Weights do not change while they are on the GPU: leaving it costs nothing, the copy there is dropped.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

_ALIGNMENT_BYTES = 256  # of cudaMalloc; kernels may ask for 16


def pinned(num_bytes: int) -> Tensor:
    """uint8 host memory, page-locked where there is a GPU. (torch's own pinned allocator takes the next power of two:
    up to twice the memory.)"""
    memory = torch.empty(num_bytes, dtype=torch.uint8)
    _pin(memory)
    return memory


def _pin(memory: Tensor) -> None:
    if torch.cuda.is_available() and memory.numel():
        runtime = torch.cuda.cudart()  # type: ignore[no-untyped-call]
        address = memory.data_ptr()
        torch.cuda.check_error(runtime.cudaHostRegister(address, memory.numel(), 0))
        weakref.finalize(memory.untyped_storage(), runtime.cudaHostUnregister, address)


class _Piece(NamedTuple):
    """One tensor's place in the flat memory, and the modules that hold it (tied weights have several)."""

    holders: tuple[tuple[nn.Module, str, bool], ...]
    offset: int
    num_bytes: int
    dtype: torch.dtype
    shape: torch.Size

    def view(self, flat: Tensor) -> Tensor:
        return flat[self.offset : self.offset + self.num_bytes].view(self.dtype).view(self.shape)

    def bind(self, flat: Tensor) -> None:
        tensor = self.view(flat)
        for module, name, is_parameter in self.holders:
            if is_parameter:
                parameter = module._parameters[name]
                assert parameter is not None
                parameter.data = tensor
            else:
                module._buffers[name] = tensor


class HostCopy:
    """The host's copy of everything in `modules`; their tensors are bound to it, or to a flat copy on a device."""

    def __init__(self, *modules: nn.Module, buffers: bool = True) -> None:
        """Moves the tensors into one flat block, pinned where there is a GPU."""
        self._pieces, size = _lay_out(modules, buffers)
        self.host = torch.empty(size, dtype=torch.uint8)
        for piece in self._pieces:
            module, name, is_parameter = piece.holders[0]
            held = module._parameters[name] if is_parameter else module._buffers[name]
            assert held is not None
            piece.view(self.host).copy_(held.detach())
            piece.bind(self.host)  # one by one: what is copied is freed
        # Not before: pinning takes all pages at once, which would be a second whole copy beside the first.
        _pin(self.host)

    @property
    def num_bytes(self) -> int:
        return self.host.numel()

    def bind(self, flat: Tensor) -> None:
        """Makes the modules' tensors views of `flat`, which holds (or is about to hold) what `host` does."""
        for piece in self._pieces:
            piece.bind(flat)

    def bring(self, device: torch.device) -> None:
        """Copies everything to `device`; returns when the copy is queued on the current stream."""
        flat = torch.empty(self.num_bytes, dtype=torch.uint8, device=device)
        flat.copy_(self.host, non_blocking=True)
        self.bind(flat)

    def leave(self) -> None:
        """Drops the copy on the device."""
        self.bind(self.host)


def _lay_out(modules: tuple[nn.Module, ...], buffers: bool) -> tuple[list[_Piece], int]:
    pieces: list[_Piece] = []
    offset = 0
    for holders, tensor in _tensors(modules, buffers):
        num_bytes = tensor.numel() * tensor.element_size()
        pieces.append(_Piece(tuple(holders), offset, num_bytes, tensor.dtype, tensor.shape))
        offset += -(-num_bytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
    return pieces, offset


def _tensors(
    modules: tuple[nn.Module, ...], buffers: bool
) -> Iterator[tuple[list[tuple[nn.Module, str, bool]], Tensor]]:
    found: dict[int, tuple[list[tuple[nn.Module, str, bool]], Tensor]] = {}
    for module in (each for root in modules for each in root.modules()):
        held: list[tuple[str, Tensor | None, bool]] = []
        held += [(name, tensor, True) for name, tensor in module._parameters.items()]
        held += [(name, tensor, False) for name, tensor in module._buffers.items()] if buffers else []
        for name, tensor, is_parameter in held:
            if tensor is not None and tensor.numel():
                found.setdefault(id(tensor), ([], tensor))[0].append((module, name, is_parameter))
    yield from found.values()
