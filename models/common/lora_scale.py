"""How strong a LoRA is by its file's header, where peft and our own training write it (other trainers give each layer
a tensor `alpha`).

Of the header the scale alone is taken. The rest of that configuration says what the tensors say themselves, or has
peft rebuild the network (`layer_replication`, `init_lora_weights`), which no file may.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

_METADATA = "lora_adapter_metadata"  # diffusers.loaders.lora_base.LORA_ADAPTER_METADATA_KEY
_UP = ".lora_B.weight"


def header_alphas(path: Path, state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, float]:
    """`<layer>.alpha` of each layer in `state`, whose keys begin with `prefix`; a layer is scaled by alpha / rank.

    Empty where the header says nothing. Raises ValueError for one that is not as peft writes it.
    """
    config = _config(path, prefix)
    if "lora_alpha" not in config:
        return {}
    layers = {key.removesuffix(_UP): up.shape[1] for key, up in state.items() if key.endswith(_UP)}
    try:
        return {f"{layer}.alpha": _alpha(config, layer.removeprefix(prefix), rank) for layer, rank in layers.items()}
    except (TypeError, AttributeError) as error:
        raise ValueError(f"its header's alphas are unreadable: {error}") from error


def _config(path: Path, prefix: str) -> dict[str, Any]:
    """The header's entries for the network whose keys begin with `prefix`."""
    with safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get(_METADATA)
    config = json.loads(text) if text else {}
    if not isinstance(config, dict):
        raise ValueError(f"{_METADATA} of its header is no object")
    return {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}


def _alpha(config: Mapping[str, Any], layer: str, rank: int) -> float:
    patterns = config.get("alpha_pattern") or {}
    # Keys are ends of layers' names. Peft takes them for regular expressions, which a file of strangers could make
    # endless; what is written by peft or by us has no more than names.
    own = next((value for name, value in patterns.items() if layer == name or layer.endswith(f".{name}")), None)
    alpha = float(config["lora_alpha"] if own is None else own)
    # Rank-stabilised (https://arxiv.org/abs/2312.03732): alpha / sqrt(rank).
    return alpha * math.sqrt(rank) if config.get("use_rslora") else alpha
