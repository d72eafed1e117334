"""The checkpoint file: one safetensors file whose header carries the JSON part and a SHA-256 over everything.

safetensors itself notices a short file but not a flipped bit; after a Spot kill or a torn upload either may happen.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from models.interface import Checkpoint, CheckpointCorrupt

FORMAT = "revalida-checkpoint/1"


def write(checkpoint: Checkpoint, path: Path) -> None:
    """Writes `checkpoint` to `path`: to a temporary file in the same folder first, then renamed over it."""
    meta = json.dumps(
        {
            "step": checkpoint.step,
            "total": checkpoint.total,
            "fingerprint": checkpoint.fingerprint,
            "fields": dict(checkpoint.fields),
            "state": checkpoint.state,
        },
        sort_keys=True,
    )
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    header = {"format": FORMAT, "meta": meta, "sha256": _digest(meta, tensors)}
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    try:
        save_file(tensors, temporary, metadata=header)
        _flush_to_disk(temporary)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def read(path: Path) -> Checkpoint:
    """Reads and verifies `path`. Raises `CheckpointCorrupt`, or `FileNotFoundError` if there is none."""
    if not path.is_file():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointCorrupt(path, f"unreadable: {error}") from error
    if header.get("format") != FORMAT:
        raise CheckpointCorrupt(path, f"not a {FORMAT} file")
    if header.get("sha256") != _digest(header.get("meta", ""), tensors):
        raise CheckpointCorrupt(path, "SHA-256 does not match")
    meta = json.loads(header["meta"])
    return Checkpoint(
        step=meta["step"],
        total=meta["total"],
        fingerprint=meta["fingerprint"],
        fields=meta["fields"],
        state=meta["state"],
        tensors=tensors,
    )


def _digest(meta: str, tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(meta.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        # Viewing the bytes works for every dtype, bfloat16 too, which numpy does not know.
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _flush_to_disk(path: str) -> None:
    with Path(path).open("rb+") as file:
        os.fsync(file.fileno())
