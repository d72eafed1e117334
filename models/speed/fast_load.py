"""Networks from safetensors files straight to where they are to lie, by several readers at once.

The stock loader reads one tensor after the other through the page cache into pageable memory and copies it from there.
Here pieces of the files are read into page-locked buffers, each reader's next piece while its last one is on its way to
the GPU; nothing is allocated twice. What the page cache holds anyway (weights just downloaded, a worker that starts
again) comes from there, all else past it: weights are read once, and would drive out everything else.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import init_empty_weights
from torch import Tensor, nn

from models.interface import WeightsError

READERS = 8
CONVERTED_BYTES = 2**29
"""Of a file's numbers that are to be kept in another precision, so many are held in both at a time."""
CONVERTED_BYTES_ON_GPU = 2**32
"""The same on a GPU: where networks stay there is room, and each portion pins the readers' buffers anew."""
_PIECE_BYTES = 2**25
_PAGE_BYTES = 4096
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "I64": torch.int64,
    "I32": torch.int32,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class Entry(NamedTuple):
    """One tensor in a file: where its bytes lie, `begin` counted from the file's start."""

    path: Path
    begin: int
    num_bytes: int
    dtype: torch.dtype
    shape: tuple[int, ...]


class _Piece(NamedTuple):
    entry: Entry
    offset: int
    num_bytes: int
    target: Tensor


def load_network(
    cls: Any, folder: Path, *, dtype: torch.dtype, device: torch.device, variant: str | None = None
) -> Any:
    """The diffusers network of class `cls` in `folder`, with the same numbers as `from_pretrained(dtype=dtype)`.

    Raises `WeightsError` naming the file at fault.
    """
    with init_empty_weights(include_buffers=False):
        network = cls.from_config(cls.load_config(folder))
    entries = read_headers(weight_files(folder, variant))
    fp32 = tuple(cls._keep_in_fp32_modules or ()) if dtype != torch.float32 else ()
    wanted = dict(network.named_parameters()) | dict(network.named_buffers())
    missing = sorted(set(dict(network.named_parameters())) - entries.keys())
    if missing:
        raise WeightsError(folder, f"{len(missing)} tensors are missing, the first is {missing[0]}")
    found = {name: entry for name, entry in entries.items() if name in wanted}
    for name, entry in found.items():
        if entry.shape != tuple(wanted[name].shape):
            raise WeightsError(entry.path, f"{name} has the shape {entry.shape}")
    kept = {name: torch.float32 if any(part in name.split(".") for part in fp32) else dtype for name in found}
    at_once = CONVERTED_BYTES if device.type == "cpu" else CONVERTED_BYTES_ON_GPU
    for portion in _portions(found, kept, at_once):
        for name, tensor in read_tensors(portion, device).items():
            _put(network, name, tensor.to(kept[name]) if tensor.is_floating_point() else tensor)
    for module in network.modules():
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.to(device)
    return network.eval()


def _portions(
    entries: Mapping[str, Entry], kept: Mapping[str, torch.dtype], at_once: int
) -> Iterator[dict[str, Entry]]:
    """What is kept as it is in the files all at once, the rest bit by bit: Wan A14B's experts are published in float32,
    53 GiB each, of which 27 are kept."""
    portion = {name: entry for name, entry in entries.items() if entry.dtype == kept[name]}
    others = {name: entry for name, entry in entries.items() if name not in portion}
    room = 0
    for name, entry in others.items():
        if portion and entry.num_bytes > room:
            yield portion
            portion, room = {}, at_once
        portion[name] = entry
        room -= entry.num_bytes
    if portion:
        yield portion


def _put(network: nn.Module, name: str, tensor: Tensor) -> None:
    parent, _, last = name.rpartition(".")
    module = network.get_submodule(parent)
    if last in module._parameters:
        module._parameters[last] = nn.Parameter(tensor, requires_grad=False)
    else:
        module._buffers[last] = tensor


def weight_files(folder: Path, variant: str | None = None) -> list[Path]:
    """The safetensors files of one network: the shards of its index, or its single file."""
    indexes = sorted(folder.glob(f"*.safetensors.index.{variant}.json" if variant else "*.safetensors.index.json"))
    if indexes:
        names = json.loads(indexes[0].read_text("utf-8"))["weight_map"].values()
        return [folder / name for name in sorted(set(names))]
    single = sorted(folder.glob(f"*.{variant}.safetensors" if variant else "*.safetensors"))
    if not single:
        raise WeightsError(folder, "no safetensors file")
    return single[:1]


def read_headers(paths: Sequence[Path]) -> dict[str, Entry]:
    """Every tensor of the files, by name. The format: https://huggingface.co/docs/safetensors."""
    return {name: entry for path in paths for name, entry in _header(path)}


def _header(path: Path) -> Iterator[tuple[str, Entry]]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _DTYPES:
            raise WeightsError(path, f"{name} has the unknown dtype {entry['dtype']}")
        begin, end = entry["data_offsets"]
        yield name, Entry(path, 8 + length + begin, end - begin, _DTYPES[entry["dtype"]], tuple(entry["shape"]))


def read_tensors(entries: Mapping[str, Entry], device: torch.device, *, readers: int = READERS) -> dict[str, Tensor]:
    """The tensors on `device`; returns when they are there."""
    tensors = {name: torch.empty(entry.shape, dtype=entry.dtype, device=device) for name, entry in entries.items()}
    pieces = [piece for name, entry in entries.items() for piece in _pieces(entry, tensors[name])]
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # the memory given out may still be in use by work that was queued before
    pieces.sort(key=lambda piece: (piece.entry.path, piece.entry.begin + piece.offset))
    source = iter(pieces)
    lock = threading.Lock()

    def work() -> None:
        reader = _Reader(device)
        try:
            while True:
                with lock:
                    piece = next(source, None)
                if piece is None:
                    return
                reader.read(piece)
        finally:
            reader.close()

    with ThreadPoolExecutor(readers) as pool:
        for done in [pool.submit(work) for _ in range(readers)]:
            done.result()
    return tensors


def _pieces(entry: Entry, tensor: Tensor) -> Iterator[_Piece]:
    flat = tensor.reshape(-1).view(torch.uint8) if entry.num_bytes else tensor
    for offset in range(0, entry.num_bytes, _PIECE_BYTES):
        num_bytes = min(_PIECE_BYTES, entry.num_bytes - offset)
        yield _Piece(entry, offset, num_bytes, flat[offset : offset + num_bytes])


class _Reader:
    """One thread's file descriptors, its two buffers, and on a GPU its stream."""

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._files: dict[Path, _File] = {}
        self._maps = [mmap.mmap(-1, _PIECE_BYTES + 2 * _PAGE_BYTES) for _ in range(2)]
        self._buffers = [torch.frombuffer(memory, dtype=torch.uint8) for memory in self._maps]
        self._turn = 0
        if self._on_gpu:
            if device.index is not None:  # a thread begins on the first GPU
                torch.cuda.set_device(device)
            for buffer in self._buffers:
                runtime = torch.cuda.cudart()  # type: ignore[no-untyped-call]
                torch.cuda.check_error(runtime.cudaHostRegister(buffer.data_ptr(), buffer.numel(), 0))
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._sent: list[Any] = [torch.cuda.Event() for _ in range(2)]  # type: ignore[no-untyped-call]

    def read(self, piece: _Piece) -> None:
        """Reads the piece from the disk and sends it on its way. Raises `WeightsError` at a file's early end."""
        self._turn = 1 - self._turn
        if self._on_gpu:
            self._sent[self._turn].synchronize()  # the buffer's last piece has left it
        begin = piece.entry.begin + piece.offset
        first = begin - begin % _PAGE_BYTES
        wanted = -(-(begin + piece.num_bytes - first) // _PAGE_BYTES) * _PAGE_BYTES
        view = memoryview(self._maps[self._turn])[:wanted]
        got = self._file(piece.entry.path).read(view, first, least=begin + piece.num_bytes - first)
        if got < begin + piece.num_bytes - first:
            raise WeightsError(piece.entry.path, f"ends at byte {first + got}, in the middle of a tensor")
        source = self._buffers[self._turn][begin - first : begin - first + piece.num_bytes]
        if not self._on_gpu:
            piece.target.copy_(source)
            return
        with torch.cuda.stream(self._stream):
            piece.target.copy_(source, non_blocking=True)
            self._sent[self._turn].record(self._stream)

    def close(self) -> None:
        if self._on_gpu:
            self._stream.synchronize()
            runtime = torch.cuda.cudart()  # type: ignore[no-untyped-call]
            for buffer in self._buffers:
                runtime.cudaHostUnregister(buffer.data_ptr())
        for file in self._files.values():
            file.close()

    def _file(self, path: Path) -> _File:
        if path not in self._files:
            self._files[path] = _File(path)
        return self._files[path]


class _File:
    """A file as the page cache has it, and past the page cache where the file system can."""

    def __init__(self, path: Path) -> None:
        self._cached = os.open(path, os.O_RDONLY)
        self._direct = self._cached
        with suppress(OSError):
            self._direct = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECT", 0))

    def read(self, view: memoryview, begin: int, *, least: int) -> int:
        """Fills `view` from `begin` on; returns how many bytes there were. If the page cache has fewer than `least`,
        the disk is asked for all of them."""
        with suppress(OSError):  # BlockingIOError: not in memory. Others: a file system that cannot say
            if (got := os.preadv(self._cached, [view], begin, os.RWF_NOWAIT)) >= least:
                return got
        return os.preadv(self._direct, [view], begin)

    def close(self) -> None:
        for descriptor in {self._cached, self._direct}:
            os.close(descriptor)
