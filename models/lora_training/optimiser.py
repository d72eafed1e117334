"""The optimiser, its rate, and its state in and out of a checkpoint's tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from models.lora_training.request import OptimizerName

BETAS = (0.9, 0.99)
WEIGHT_DECAY = 1e-2
WARMUP_SHARE = 0.05
LAST_RATE = 0.1  # of the full rate, at the last step


def make(name: OptimizerName, parameters: Sequence[torch.nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """AdamW, with 32-bit moments or (by bitsandbytes, on a GPU) 8-bit ones."""
    settings: dict[str, Any] = {"lr": learning_rate, "betas": BETAS, "weight_decay": WEIGHT_DECAY}
    if name == "adamw8bit":
        import bitsandbytes

        optimiser: torch.optim.Optimizer = bitsandbytes.optim.AdamW8bit(parameters, **settings)
        return optimiser
    return torch.optim.AdamW(parameters, **settings)


def rate_at(step: int, total: int) -> float:
    """The share of the learning rate at step `step` (0-based): a short rise, then down a cosine to a tenth."""
    warmup = max(1, round(total * WARMUP_SHARE))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, total - warmup)
    return LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * done))


def state_tensors(optimiser: torch.optim.Optimizer, prefix: str) -> dict[str, torch.Tensor]:
    """The moments by name; every kind of state that these optimisers keep is a tensor or a number."""
    tensors: dict[str, torch.Tensor] = {}
    for index, values in optimiser.state_dict()["state"].items():
        for name, value in values.items():
            kept = value if isinstance(value, torch.Tensor) else torch.tensor(value)
            tensors[f"{prefix}{index}.{name}"] = kept.detach().to("cpu").clone()
    return tensors


def restore_state(optimiser: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], prefix: str) -> None:
    """Puts back what `state_tensors` gave."""
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        if key.startswith(prefix):
            index, _, name = key.removeprefix(prefix).partition(".")
            is_number = tensor.ndim == 0 and not (name == "step" and isinstance(optimiser, torch.optim.AdamW))
            state.setdefault(int(index), {})[name] = tensor.item() if is_number else tensor
    whole = optimiser.state_dict()
    whole["state"] = state
    optimiser.load_state_dict(whole)
