"""What a checkpoint belongs to: a digest of each thing that decides the result, and of them all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import diffusers
import PIL.Image
import torch

from models.common.frames import has_shape, open_image
from models.interface import Checkpoint, CheckpointMismatch, GenerationRequest


def fields_of(request: GenerationRequest, **conditions: Any) -> dict[str, str]:
    """A digest for each request field and each of `conditions` (model revision, dtype, scheduler, numerics).

    Files count by their content, not by their path: the next machine keeps them elsewhere.
    """
    values: dict[str, Any] = asdict(request) | conditions
    if request.flow_shift is None:
        del values["flow_shift"]  # checkpoints from before there was one go on
    values["image"] = _image_in(request)
    values["loras"] = [(file_sha256(lora.path), lora.scale, lora.experts) for lora in request.loras]
    return {name: _sha256(json.dumps(value, sort_keys=True, default=str).encode()) for name, value in values.items()}


def _image_in(request: GenerationRequest) -> str | list[str] | None:
    """One that is cut to the video's shape is marked: checkpoints from before were taken of it stretched."""
    if request.image is None:
        return None
    digest = file_sha256(request.image)
    return digest if has_shape(open_image(request.image), (request.width, request.height)) else [digest, "cut to shape"]


def fingerprint(fields: Mapping[str, str]) -> str:
    """The digest of all `fields`."""
    return _sha256(json.dumps(dict(fields), sort_keys=True).encode())


def require_match(checkpoint: Checkpoint, fields: Mapping[str, str]) -> None:
    """Raises `CheckpointMismatch` naming every field in which `checkpoint` differs from `fields`."""
    names = sorted(checkpoint.fields.keys() | fields.keys())
    differing = tuple(name for name in names if checkpoint.fields.get(name) != fields.get(name))
    if differing:
        raise CheckpointMismatch(differing)
    if checkpoint.fingerprint != fingerprint(fields):
        raise CheckpointMismatch(("fingerprint",))


def numerics(device: torch.device) -> dict[str, Any]:
    """What else decides the bits: the libraries' versions, the kind of device, the switches that change kernels."""
    return {
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "device": _device_name(device),
        "tf32": device.type == "cuda" and torch.backends.cuda.matmul.allow_tf32,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def _device_name(device: torch.device) -> str:
    """The kind of device: of a CPU its vector instructions and the threads, which decide the order of sums."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} {torch.backends.cpu.get_cpu_capability()} x{torch.get_num_threads()}"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def image_sha256(image: PIL.Image.Image) -> str:
    """SHA-256 of an image's size and pixels."""
    return _sha256(f"{image.mode} {image.size}".encode() + image.tobytes())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
