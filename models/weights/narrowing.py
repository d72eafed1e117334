"""Safetensors files whose float32 numbers are rounded to bfloat16, once for all: agents would round them at every load.

Published in float32, the experts of Wan A14B take twice the time to fetch, to read and to keep. The rounding is the one
of torch (to the nearest, ties to even), so that a network loaded in bfloat16 has the same numbers either way.
"""

import json
import struct
from collections.abc import Collection, Iterator
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

from models.common.weights import header_bytes

_BLOCK_BYTES = 2**26


class _Tensor(NamedTuple):
    """One tensor of a file; `begin` and `num_bytes` in its data part, as published."""

    name: str
    dtype: str
    shape: list[int]
    begin: int
    num_bytes: int
    is_rounded: bool

    @property
    def stored_bytes(self) -> int:
        return self.num_bytes // 2 if self.is_rounded else self.num_bytes

    @property
    def item_bytes(self) -> float:
        """Of one number, as stored."""
        return self.stored_bytes / max(1, prod(self.shape))


def narrow(published: Path, into: Path, *, keeps: Collection[str]) -> bool:
    """Writes to `into` what `published`, a whole safetensors file, holds, with its float32 numbers in bfloat16; those
    whose name has a part in `keeps` (`time_embedder`) stay. False, and nothing is written, where there are no others.

    Raises OSError.
    """
    header = header_bytes(published)
    entries = json.loads(header)
    metadata = entries.pop("__metadata__", None)
    tensors = [_tensor(name, entry, keeps) for name, entry in entries.items()]
    if not any(tensor.is_rounded for tensor in tensors):
        return False
    # Numbers of more bytes first, as safetensors itself writes them: each lies at a multiple of its own size.
    tensors.sort(key=lambda tensor: (-tensor.item_bytes, tensor.begin))
    with published.open("rb") as source, into.open("wb") as target:
        target.write(_header(tensors, metadata))
        for tensor in tensors:
            source.seek(8 + len(header) + tensor.begin)
            for block in _blocks(source, tensor.num_bytes):
                target.write(_rounded(block) if tensor.is_rounded else block)
    return True


def _tensor(name: str, entry: dict[str, Any], keeps: Collection[str]) -> _Tensor:
    begin, end = entry["data_offsets"]
    is_rounded = entry["dtype"] == "F32" and not set(name.split(".")) & set(keeps)
    return _Tensor(name, entry["dtype"], entry["shape"], begin, end - begin, is_rounded)


def _header(tensors: list[_Tensor], metadata: dict[str, str] | None) -> bytes:
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    at = 0
    for tensor in tensors:
        dtype = "BF16" if tensor.is_rounded else tensor.dtype
        header[tensor.name] = {
            "dtype": dtype,
            "shape": tensor.shape,
            "data_offsets": [at, at + tensor.stored_bytes],
        }
        at += tensor.stored_bytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _blocks(source: BinaryIO, num_bytes: int) -> Iterator[bytes]:
    for begin in range(0, num_bytes, _BLOCK_BYTES):
        yield source.read(min(_BLOCK_BYTES, num_bytes - begin))


def _rounded(block: bytes) -> bytes:
    return np.frombuffer(block, "<f4").astype(ml_dtypes.bfloat16).tobytes()
