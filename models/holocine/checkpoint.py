"""Read and write one expert's file: safetensors with original Wan names, loaded strictly."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.holocine.checkpoint_keys import to_diffusers, to_original
from models.holocine.errors import UnknownTensor
from models.holocine.transformer import HoloCineTransformer3DModel
from models.interface import WeightsError

_SHOWN = 5


def load_expert(
    path: Path, config: Mapping[str, Any], *, sparse: bool, dtype: torch.dtype
) -> HoloCineTransformer3DModel:
    """The transformer of one checkpoint file, in eval mode, in host memory.

    Args:
        config: arguments of `WanTransformer3DModel`, as in its config.json.
        dtype: of the weights, except those that diffusers keeps in float32 (norms, time embedder, tables).

    Raises:
        WeightsError: missing, unexpected or misshapen tensors, or not a readable safetensors file.
    """
    with torch.device("meta"):
        model: HoloCineTransformer3DModel = HoloCineTransformer3DModel.from_config(dict(config))
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(path, f"not a readable safetensors file ({error})") from error
    state = _renamed(tensors, path)
    _check_against(model, state, path)
    cast = {name: tensor.to(_dtype_of(name, dtype)) for name, tensor in state.items()}
    model.load_state_dict(cast, strict=True, assign=True)
    # Not a parameter, so not in the file, and built on the meta device above.
    model.rope = type(model.rope)(
        model.config.attention_head_dim, model.config.patch_size, model.config.rope_max_seq_len
    )
    model.requires_grad_(False).eval()
    return model.enable_shot_attention(sparse=sparse)


def save_expert(model: WanTransformer3DModel, path: Path) -> None:
    """Write the weights in their present dtype under the original names."""
    state = {to_original(name): tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)


def _renamed(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    renamed, unknown = {}, []
    for name, tensor in tensors.items():
        try:
            renamed[to_diffusers(name)] = tensor
        except UnknownTensor:
            unknown.append(name)
    if unknown:
        raise WeightsError(
            path, f"{len(unknown)} unexpected: {_some(sorted(unknown))}; HoloCine has Wan's tensors only"
        )
    return renamed


def _dtype_of(name: str, dtype: torch.dtype) -> torch.dtype:
    kept = HoloCineTransformer3DModel._keep_in_fp32_modules
    return torch.float32 if any(part in name.split(".") for part in kept) else dtype


def _check_against(model: HoloCineTransformer3DModel, state: Mapping[str, Tensor], path: Path) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    faults = {
        "missing": sorted(expected.keys() - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "misshapen": sorted(
            f"{name} {found[name]}, not {expected[name]}"
            for name in expected.keys() & found.keys()
            if found[name] != expected[name]
        ),
    }
    told = "; ".join(f"{len(names)} {fault}: {_some(names)}" for fault, names in faults.items() if names)
    if told:
        raise WeightsError(path, f"not this model's tensors; {told}")


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (", ..." if len(listed) > _SHOWN else "")
