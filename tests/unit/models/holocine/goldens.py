"""The golden data: a folder in the layout of tests/goldens/holocine, or another named by HOLOCINE_GOLDENS."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from models.holocine.checkpoint import load_expert
from models.holocine.errors import HoloCineError
from models.holocine.layout import ShotLayout
from models.holocine.prompt import TextRanges
from models.holocine.transformer import HoloCineTransformer3DModel

GOLDENS = Path(os.environ.get("HOLOCINE_GOLDENS", Path(__file__).parents[3] / "goldens" / "holocine"))
FORWARD_CASES = sorted(
    p.parent.name for p in GOLDENS.glob("*/weights.safetensors") if not p.parent.name.startswith("loop_")
)
LOOP_CASES = sorted(p.name for p in GOLDENS.glob("loop_*"))
TOLERANCE = 1e-4
"""Float32; the specification expects 3e-5 and a wrong rule shifts outputs by 0.2 or more."""


def assert_agrees(got: Tensor, expected: Tensor, what: str = "output") -> None:
    torch.testing.assert_close(got, expected, rtol=0.0, atol=TOLERANCE, msg=lambda text: f"{what}: {text}")


def config_of(case: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GOLDENS / case / "config.json").read_text())
    return loaded


def tensors_of(case: str, name: str) -> dict[str, Tensor]:
    loaded: dict[str, Tensor] = load_file(GOLDENS / case / f"{name}.safetensors")
    return loaded


def transformer_config(model: dict[str, Any]) -> dict[str, Any]:
    """diffusers' configuration of the sizes in a golden config.json."""
    return {
        "patch_size": tuple(model["patch_size"]),
        "num_attention_heads": model["num_heads"],
        "attention_head_dim": model["dim"] // model["num_heads"],
        "in_channels": model["in_dim"],
        "out_channels": model["out_dim"],
        "text_dim": model["text_dim"],
        "freq_dim": model["freq_dim"],
        "ffn_dim": model["ffn_dim"],
        "num_layers": model["num_layers"],
        "eps": model["eps"],
    }


def load_case(case: str, *, sparse: bool, weights: str = "weights.safetensors") -> HoloCineTransformer3DModel:
    config = transformer_config(config_of(case)["model"])
    return load_expert(GOLDENS / case / weights, config, sparse=sparse, dtype=torch.float32)


def text_ranges_of(positions: dict[str, Any]) -> TextRanges:
    found = positions["global"]
    return TextRanges(
        global_caption=tuple(found) if found else None, shots=tuple((a, b) for a, b in positions["shots"])
    )


def layouts_of(case: str) -> list[ShotLayout]:
    """One layout a sample of the batch."""
    text = config_of(case)["text_cut_positions"]
    indices = tensors_of(case, "inputs")["shot_indices"].tolist()
    texts = text if isinstance(text, list) else [text] * len(indices)
    return [_layout(tuple(row), text_ranges_of(own)) for row, own in zip(indices, texts, strict=True)]


def _layout(shots: tuple[int, ...], text: TextRanges) -> ShotLayout:
    try:
        return ShotLayout(shot_of_latent_frame=shots, text=text)
    except HoloCineError:
        # Refused here; the goldens were made without the window then.
        return ShotLayout(shot_of_latent_frame=shots, text=None)


def _has_activations(case: str) -> bool:
    with safe_open(GOLDENS / case / "outputs.safetensors", "pt") as file:
        return any(name.startswith("act.") for name in file.keys())  # noqa: SIM118  # not a dict


ACTIVATION_CASES = [case for case in FORWARD_CASES if _has_activations(case)]
