"""The adapter that is trained: put into the networks by peft, read out in diffusers' key format, and as ComfyUI's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file

NAME = "learned"  # "training" is a name that torch modules use themselves
_PREFIX = "transformer."
_COMFY_PREFIX = "diffusion_model."


def add(denoiser: Any, *, targets: Sequence[str], rank: int, alpha: float, seed: int) -> list[torch.nn.Parameter]:
    """Gives the network a fresh adapter (an identity, drawn from `seed`); returns its float32 parameters."""
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(targets), init_lora_weights="gaussian")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        denoiser.add_adapter(config, adapter_name=NAME)
    parameters = [parameter for parameter in denoiser.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.float()
    return parameters


def weights(denoiser: Any) -> dict[str, torch.Tensor]:
    """The adapter's tensors by peft's names, on the CPU."""
    state = get_peft_model_state_dict(denoiser, adapter_name=NAME)
    return {name: tensor.detach().to("cpu", torch.float32).clone().contiguous() for name, tensor in state.items()}


def restore(denoiser: Any, state: Mapping[str, torch.Tensor]) -> None:
    """Puts back what `weights` gave."""
    outcome = set_peft_model_state_dict(denoiser, dict(state), adapter_name=NAME)
    if outcome is not None and outcome.unexpected_keys:
        raise ValueError(f"the checkpoint's adapter does not fit: {outcome.unexpected_keys[:3]}")


def save(
    state: Mapping[str, torch.Tensor],
    path: Path,
    *,
    rank: int,
    alpha: float,
    targets: Sequence[str],
    about: Mapping[str, str],
) -> None:
    """One file that the stock `load_lora_weights` reads: keys below `transformer.`, the adapter's configuration and
    `about` in the header (texts, for people and programs)."""
    config = {"r": rank, "lora_alpha": alpha, "target_modules": sorted(targets), "peft_type": "LORA"}
    tagged = {f"{_PREFIX}{key}": value for key, value in config.items()}
    header = {"format": "pt", "lora_adapter_metadata": json.dumps(tagged, sort_keys=True), **about}
    save_file({f"{_PREFIX}{name}": tensor for name, tensor in state.items()}, path, metadata=header)


def export_for_comfyui(source: Path, target: Path) -> None:
    """The same LoRA under the names that ComfyUI's loaders take: `diffusion_model.<layer>.lora_down|lora_up|alpha`.

    Layers keep diffusers' names, which ComfyUI maps itself for these models; the scale, which diffusers reads from the
    header, becomes each layer's `alpha`."""
    with safe_open(source, framework="pt") as file:
        header = file.metadata() or {}
    config = json.loads(header.get("lora_adapter_metadata", "{}"))
    alpha = float(config[f"{_PREFIX}lora_alpha"])
    tensors: dict[str, torch.Tensor] = {}
    for key, tensor in load_file(source).items():
        layer, _, side = key.removeprefix(_PREFIX).rpartition(".lora_")
        name = {"A.weight": "lora_down.weight", "B.weight": "lora_up.weight"}[side]
        tensors[f"{_COMFY_PREFIX}{layer}.{name}"] = tensor.contiguous()
        tensors[f"{_COMFY_PREFIX}{layer}.alpha"] = torch.tensor(alpha)
    about = {name: text for name, text in header.items() if name not in ("format", "lora_adapter_metadata")}
    save_file(tensors, target, metadata={"format": "pt", **about})
