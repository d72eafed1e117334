"""What a checkpoint is good for, and what is refused: other work by the field's name, damaged files as damaged."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load_file, safe_open, save_file

from models import catalog, tiny
from models.common.engine import DiffusersVideoModel
from models.common.pipelines import PipelineSet
from models.common.residency import Residency
from models.interface import Checkpoint, CheckpointCorrupt, CheckpointMismatch, GenerationRequest, LoraRef, Shot
from models.wan.family import WanFamily
from tests.unit.models.families import cases

CASE = cases.CASES["wan-t2v-two-experts"]
Saved = tuple[DiffusersVideoModel, GenerationRequest, Path]


@pytest.fixture
def saved(weights_of: Callable[[str], Path], tmp_path: Path) -> Saved:
    """A model, a request and the file of its checkpoint after step 2."""
    folder = weights_of(CASE.name)
    model, asked = cases.load(CASE, folder), cases.request(CASE, folder)
    path = tmp_path / "checkpoint.safetensors"
    cases.checkpoint_after(model, asked, 2).save(path)
    return model, asked, path


OTHER = {
    "model": "wan2.2-ti2v-5b",
    "prompt": "a green star",
    "negative_prompt": "a circle",
    "seed": 12,
    "width": 48,
    "height": 48,
    "num_frames": 13,
    "fps": 24,
    "num_inference_steps": 5,
    "guidance_scale": 2.0,
    "guidance_scale_2": 2.0,
    "scheduler": "flow-match-euler",
    "flow_shift": 8.0,
    "shots": (Shot(prompt="moving up"),),
}
# Each of these has a test of its own below.
IN_OTHER_TESTS = {"image", "continuity", "loras", "revision", "dtype", "numerics"}


def test_given_a_checkpoint_then_every_field_of_its_fingerprint_has_a_refusal_here(saved: Saved) -> None:
    _, _, path = saved

    # A shift that is not asked for is not in it, as in checkpoints from before one could be.
    assert Checkpoint.load(path).fields.keys() == (OTHER.keys() - {"flow_shift"}) | IN_OTHER_TESTS
    assert {field.name for field in dataclasses.fields(GenerationRequest)} <= OTHER.keys() | IN_OTHER_TESTS


@pytest.mark.parametrize(("field", "value"), OTHER.items())
def test_given_another_request_when_resumed_then_refused_by_the_fields_name(
    field: str, value: Any, saved: Saved
) -> None:
    model, asked, path = saved

    with pytest.raises(CheckpointMismatch) as refusal:
        cases.frames_of(model, dataclasses.replace(asked, **{field: value}), resume=Checkpoint.load(path))

    assert refusal.value.fields == (field,)
    assert field in str(refusal.value)


def test_given_other_weights_when_resumed_then_refused_for_the_revision(saved: Saved, tmp_path: Path) -> None:
    _, asked, path = saved
    tiny.wan(tmp_path / "other", euler=True)

    with pytest.raises(CheckpointMismatch) as refusal:
        cases.frames_of(cases.load(CASE, tmp_path / "other"), asked, resume=Checkpoint.load(path))

    assert refusal.value.fields == ("revision",)


def test_given_another_dtype_when_resumed_then_refused_for_the_dtype(
    saved: Saved, weights_of: Callable[[str], Path]
) -> None:
    _, asked, path = saved
    family = WanFamily(text=True, image=False, two_experts=True)
    pipelines = PipelineSet(
        family=family,
        folder=weights_of(CASE.name),
        device=torch.device("cpu"),
        dtype=torch.bfloat16,
        residency=Residency(keep_text_encoder=True),
    )
    model = DiffusersVideoModel(spec=catalog.get(CASE.model), family=family, pipelines=pipelines)

    with pytest.raises(CheckpointMismatch) as refusal:
        cases.frames_of(model, asked, resume=Checkpoint.load(path))

    assert refusal.value.fields == ("dtype",)


def test_given_other_kernels_when_resumed_then_refused_for_the_numerics(
    saved: Saved, deterministic_algorithms: None
) -> None:
    model, asked, path = saved

    with pytest.raises(CheckpointMismatch) as refusal:
        cases.frames_of(model, asked, resume=Checkpoint.load(path))

    assert refusal.value.fields == ("numerics",)


@pytest.fixture
def deterministic_algorithms(saved: Saved) -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def test_given_a_lora_more_when_resumed_then_refused_for_the_loras(saved: Saved, tmp_path: Path) -> None:
    model, asked, path = saved
    save_file({"x": torch.zeros(1)}, tmp_path / "style.safetensors")
    lora = LoraRef(path=tmp_path / "style.safetensors", scale=1.0, name="style")

    with pytest.raises(CheckpointMismatch) as refusal:
        cases.frames_of(model, dataclasses.replace(asked, loras=(lora,)), resume=Checkpoint.load(path))

    assert refusal.value.fields == ("loras",)


@pytest.mark.parametrize("field", ["image", "continuity"])
def test_given_another_image_or_continuity_when_resumed_then_refused_by_the_fields_name(
    field: str, weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    case = cases.CASES["wan-i2v-two-experts"]
    folder = weights_of(case.name)
    model = cases.load(case, folder)
    asked = cases.request(case, folder, shots=(Shot(prompt="moving left"), Shot(prompt="moving up")))
    checkpoint = cases.checkpoint_after(model, asked, 1)
    PIL.Image.new("RGB", (48, 48), "red").save(tmp_path / "other.png")
    other: dict[str, Any] = {"image": tmp_path / "other.png", "continuity": "chain"}

    with pytest.raises(CheckpointMismatch) as refusal:
        cases.frames_of(model, dataclasses.replace(asked, **{field: other[field]}), resume=checkpoint)

    assert refusal.value.fields == (field,)


def test_given_the_image_at_another_path_when_resumed_then_only_its_content_counts(
    weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    case = cases.CASES["wan-i2v-two-experts"]
    folder = weights_of(case.name)
    model, asked = cases.load(case, folder), cases.request(case, folder)
    checkpoint = cases.checkpoint_after(model, asked, 2)
    assert asked.image is not None
    elsewhere = tmp_path / "elsewhere.png"
    elsewhere.write_bytes(asked.image.read_bytes())

    frames = cases.frames_of(model, dataclasses.replace(asked, image=elsewhere), resume=checkpoint)

    np.testing.assert_array_equal(frames, cases.frames_of(model, asked))


@pytest.mark.parametrize("kept", [0, 4, 100, 3000, -1])
def test_given_a_truncated_file_when_read_then_it_is_called_corrupt(kept: int, saved: Saved) -> None:
    _, _, path = saved
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(CheckpointCorrupt) as damage:
        Checkpoint.load(path)

    assert damage.value.path == path


def test_given_one_flipped_bit_anywhere_when_read_then_it_is_called_corrupt(saved: Saved) -> None:
    _, _, path = saved
    whole = path.read_bytes()

    for position in range(0, len(whole), max(1, len(whole) // 400)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x04
        path.write_bytes(damaged)
        with pytest.raises(CheckpointCorrupt):
            Checkpoint.load(path)


def test_given_another_safetensors_file_when_read_then_it_is_called_corrupt(tmp_path: Path) -> None:
    save_file({"weights": torch.zeros(3)}, tmp_path / "lora.safetensors")

    with pytest.raises(CheckpointCorrupt, match="not a revalida-checkpoint"):
        Checkpoint.load(tmp_path / "lora.safetensors")


def test_given_no_file_when_read_then_it_is_missing_not_corrupt(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Checkpoint.load(tmp_path / "none.safetensors")


def test_given_a_saved_checkpoint_then_it_is_safetensors_and_json_and_nothing_else_is_left(saved: Saved) -> None:
    _, _, path = saved

    with safe_open(path, framework="pt") as file:
        meta = json.loads(file.metadata()["meta"])
    assert meta["step"] == 2
    assert meta["total"] == cases.STEPS
    assert load_file(path)["latents"].dtype == torch.float32
    assert [file.name for file in path.parent.iterdir()] == [path.name]
