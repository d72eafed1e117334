"""What a training checkpoint belongs to: a digest of each thing that decides the weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

import torch

from models.common.fingerprint import file_sha256, numerics
from models.lora_training.request import LoraTrainingRequest

_DECIDES_NOTHING = ("sample", "sample_every", "about", "references", "width", "height")


def fields_of(request: LoraTrainingRequest, *, revision: str, device: torch.device) -> dict[str, str]:
    """A digest for each field of the request and for model revision and numerics. Images count by their content."""
    values: dict[str, Any] = asdict(request)
    for name in _DECIDES_NOTHING:
        del values[name]
    values["images"] = [(file_sha256(each.path), each.caption) for each in request.references]
    values["pixels"] = request.width * request.height
    values |= {"revision": revision, "numerics": numerics(device)}
    return {name: _digest(value) for name, value in values.items()}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
