"""The checkpoints that come with the code: what the catalog says of them, and a resumed run on trained weights."""

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models import catalog, registry
from models.catalog import ModelSpec
from models.interface import Checkpoint, GenerationRequest, Step

SHIPPED = [spec for spec in catalog.all_models() if spec.embedded]
DENOISERS = {
    "wan": "transformer/diffusion_pytorch_model.safetensors",
    "holocine": "HoloCine_dit/full/full_high_noise.safetensors",
}


def parameters(path: Path) -> int:
    """Counted from the file's header."""
    with path.open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")


@pytest.mark.parametrize("spec", SHIPPED, ids=lambda spec: spec.id)
def test_given_a_shipped_model_then_its_files_have_the_parameters_that_the_catalog_counts_with(spec: ModelSpec) -> None:
    folder = registry.CHECKPOINTS / spec.weights.repo

    assert parameters(folder / DENOISERS[spec.family]) == spec.arch.denoiser.parameters
    assert parameters(folder / "vae" / "diffusion_pytorch_model.safetensors") == spec.arch.vae.parameters
    assert parameters(folder / "text_encoder" / "model.safetensors") == spec.arch.text[0].parameters


def test_given_the_trained_wan_mini_when_stopped_and_resumed_by_another_instance_then_frames_are_the_same(
    tmp_path: Path,
) -> None:
    torch.set_num_threads(1)
    request = GenerationRequest(
        model="wan-mini",
        prompt="a red circle moves to the left",
        width=96,
        height=160,
        num_frames=17,
        fps=16,
        num_inference_steps=3,
        guidance_scale=3.0,
        seed=1,
    )
    whole = np.stack(list(registry.load("wan-mini").generate(request, on_step=save_to(tmp_path), on_phase=print)))

    for step in (1, 2):
        checkpoint = Checkpoint.load(tmp_path / f"{step}.safetensors")
        again = registry.load("wan-mini").generate(request, resume=checkpoint, on_step=lambda _: None, on_phase=print)
        np.testing.assert_array_equal(np.stack(list(again)), whole, err_msg=f"stopped after step {step}")


def save_to(folder: Path) -> Callable[[Step], None]:
    def save(step: Step) -> None:
        step.snapshot().save(folder / f"{step.index}.safetensors")

    return save
