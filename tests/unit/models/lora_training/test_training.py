"""Training on tiny weights: every family learns, resumes bit for bit, and writes what the stock loader reads."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from models.interface import Checkpoint, CheckpointMismatch, UnsupportedRequest
from models.lora_training import adapter
from models.lora_training.request import Reference
from tests.unit.models.lora_training.cases import BUILDS, TRIGGER, Stopped, Watched, images, request, train
from tests.unit.models.lora_training.conftest import BaseOf

STOCK = {
    "wan": "WanPipeline",
    "hunyuan_video": "HunyuanVideoPipeline",
    "cogvideox": "CogVideoXPipeline",
    "ltx": "LTXPipeline",
}


@pytest.mark.parametrize("name", BUILDS)
def test_given_a_family_when_trained_then_the_stock_pipeline_loads_what_it_wrote(
    base_of: BaseOf, tmp_path: Path, name: str
) -> None:
    import diffusers

    from models import catalog

    model, folder = base_of(name)
    made = train(folder, request(model, images(tmp_path)), tmp_path / "out", watched=Watched())
    stock: Any = getattr(diffusers, STOCK[catalog.get(model).family])
    pipe = stock.from_pretrained(folder)
    assert set(made.files) == ({"high_noise", "low_noise"} if name == "wan-two-experts" else {"high_noise"})
    for expert, path in made.files.items():
        second = {"load_into_transformer_2": True} if expert == "low_noise" else {}
        pipe.load_lora_weights(path, adapter_name=expert, **second)
        network = pipe.transformer_2 if second else pipe.transformer
        loaded = {key.replace(f".{expert}.", "."): value for key, value in network.state_dict().items()}
        for key, tensor in load_file(path).items():
            assert torch.equal(loaded[key.removeprefix("transformer.")], tensor), key
        moved = [key for key, tensor in load_file(path).items() if "lora_B" in key and tensor.any()]
        assert moved, "nothing was learned"


FILMED = {"camera_moves": {"pan_left": "moving right", "zoom_in": "growing"}, "clip_frames": 5}


@pytest.mark.parametrize(
    ("name", "changes", "stops"),
    [("wan-two-experts", {}, (1, 3, 5)), ("hunyuan-video", {}, (3,)), ("wan-one-expert", FILMED, (4,))],
)
def test_given_a_run_killed_at_any_step_when_resumed_then_the_weights_are_the_same_bits(
    base_of: BaseOf, tmp_path: Path, name: str, changes: dict[str, Any], stops: tuple[int, ...]
) -> None:
    model, folder = base_of(name)
    asked = request(model, images(tmp_path), sample_every=2, **changes)
    whole = train(folder, asked, tmp_path / "whole", watched=Watched())
    expected = {expert: load_file(path) for expert, path in whole.files.items()}
    for stop_after in stops:
        killed = Watched(stop_after=stop_after)
        with pytest.raises(Stopped):
            train(folder, asked, tmp_path / "killed", watched=killed)
        assert killed.checkpoint is not None
        killed.checkpoint.save(tmp_path / "kept.safetensors")
        torch.manual_seed(stop_after)  # another process has another global generator
        resumed = Watched()
        made = train(
            folder, asked, tmp_path / "resumed", resume=Checkpoint.load(tmp_path / "kept.safetensors"), watched=resumed
        )
        assert [step.index for step in resumed.steps] == list(range(stop_after + 1, asked.steps + 1))
        assert made.losses == whole.losses
        for expert, path in made.files.items():
            found = load_file(path)
            assert all(torch.equal(found[key], tensor) for key, tensor in expected[expert].items())


def test_given_a_checkpoint_of_another_training_when_resumed_then_what_differs_is_named(
    base_of: BaseOf, tmp_path: Path
) -> None:
    model, folder = base_of("wan-one-expert")
    asked = request(model, images(tmp_path))
    killed = Watched(stop_after=1)
    with pytest.raises(Stopped):
        train(folder, asked, tmp_path / "out", watched=killed)
    other = request(model, images(tmp_path, count=4), rank=8)
    with pytest.raises(CheckpointMismatch) as refused:
        train(folder, other, tmp_path / "out", resume=killed.checkpoint, watched=Watched())
    assert refused.value.fields == ("images", "rank")


def test_given_a_training_when_watched_then_it_tells_losses_phases_and_samples(base_of: BaseOf, tmp_path: Path) -> None:
    model, folder = base_of("wan-one-expert")
    watched = Watched()
    made = train(folder, request(model, images(tmp_path), sample_every=2), tmp_path / "out", watched=watched)
    assert tuple(step.loss for step in watched.steps) == made.losses
    assert watched.phases == ["encode", "train"]
    assert {step: frames.shape for step, frames in watched.samples.items()} == {
        2: (5, 64, 64, 3),
        4: (5, 64, 64, 3),
    }


def test_given_a_finished_lora_then_its_header_tells_what_it_is_and_comfyui_gets_its_names(
    base_of: BaseOf, tmp_path: Path
) -> None:
    model, folder = base_of("wan-one-expert")
    asked = request(model, images(tmp_path), alpha=2.0, about={"character": "maria", "licence": "Apache-2.0"})
    made = train(folder, asked, tmp_path / "out", watched=Watched())
    path = made.files["high_noise"]
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    told = {"base_model": model, "trigger": TRIGGER, "character": "maria", "licence": "Apache-2.0", "steps": "6"}
    assert told.items() <= header.items()
    adapter.export_for_comfyui(path, tmp_path / "comfy.safetensors")
    comfy, own = load_file(tmp_path / "comfy.safetensors"), load_file(path)
    key = "blocks.0.attn1.to_q"
    down, up = comfy[f"diffusion_model.{key}.lora_down.weight"], comfy[f"diffusion_model.{key}.lora_up.weight"]
    assert torch.equal(down, own[f"transformer.{key}.lora_A.weight"])
    assert torch.equal(up, own[f"transformer.{key}.lora_B.weight"])
    assert comfy[f"diffusion_model.{key}.alpha"] == 2.0
    assert len(comfy) == len(own) // 2 * 3


def test_given_a_file_that_is_no_image_when_trained_then_it_is_named(base_of: BaseOf, tmp_path: Path) -> None:
    model, folder = base_of("wan-one-expert")
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    asked = request(model, (*images(tmp_path), Reference(path=text, caption=TRIGGER)))
    with pytest.raises(UnsupportedRequest, match=r"notes\.jpg"):
        train(folder, asked, tmp_path / "out", watched=Watched())


def test_given_the_catalog_then_every_model_that_trains_loras_has_a_module_for_it_and_no_other_claims_to() -> None:
    from models import catalog, registry

    for spec in catalog.all_models():
        if spec.training:
            assert importlib.import_module(f"{spec.module}.training").training_family
            assert spec.supports_lora
    with pytest.raises(UnsupportedRequest):
        registry.load_trainer("mochi-1")
