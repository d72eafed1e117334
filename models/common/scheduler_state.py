"""A scheduler's whole state, saved and restored bit for bit.

A diffusers scheduler keeps all of its state in instance attributes (UniPC: `model_outputs`, `timestep_list`,
`last_sample`, `lower_order_nums`, `this_order`, the step index ...), so all of them are kept, whatever the class: a
list of names per class would break silently with the first scheduler that adds one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

Tensors = dict[str, torch.Tensor]
_CONFIG_ATTRIBUTE = "_internal_dict"  # ConfigMixin's frozen configuration: part of the fingerprint, not of the state


def capture(scheduler: Any, prefix: str) -> tuple[dict[str, Any], Tensors]:
    """The state as (JSON, tensors copied to the CPU); tensor names begin with `prefix`.

    Raises `TypeError` for an attribute of a kind that cannot be kept.
    """
    tensors: Tensors = {}
    attributes = {
        name: _encode(value, f"{prefix}.{name}", tensors)
        for name, value in vars(scheduler).items()
        if name != _CONFIG_ATTRIBUTE
    }
    return attributes, tensors


def restore(scheduler: Any, attributes: dict[str, Any], tensors: Tensors, device: torch.device) -> None:
    """Puts a captured state back. A tensor goes where its predecessor lay (sigmas stay on the CPU) or to `device`."""
    for name, encoded in attributes.items():
        current = getattr(scheduler, name, None)
        target = current.device if isinstance(current, torch.Tensor) else device
        setattr(scheduler, name, _decode(encoded, tensors, target))


def _encode(value: Any, name: str, tensors: Tensors) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.Tensor):
        tensors[name] = value.detach().to("cpu", copy=True)
        return {"tensor": name}
    if isinstance(value, np.ndarray):
        tensors[name] = torch.from_numpy(value.copy())
        return {"array": name}
    if isinstance(value, list):
        return [_encode(item, f"{name}.{index}", tensors) for index, item in enumerate(value)]
    raise TypeError(f"cannot keep {name} of type {type(value).__name__} in a checkpoint")


def _decode(encoded: Any, tensors: Tensors, device: torch.device) -> Any:
    if isinstance(encoded, list):
        return [_decode(item, tensors, device) for item in encoded]
    if isinstance(encoded, dict):
        if "array" in encoded:
            return tensors[encoded["array"]].numpy().copy()
        return tensors[encoded["tensor"]].to(device, copy=True)
    return encoded
