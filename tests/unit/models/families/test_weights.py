"""Weights that are missing, damaged or pickled are refused when the model is opened, by the file's name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from models import registry, tiny
from models.interface import WeightsError
from tests.unit.models.families import cases

CASE = cases.CASES["wan-t2v-two-experts"]
TRANSFORMER = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(weights_of: Callable[[str], Path], tmp_path: Path) -> Path:
    copied = tmp_path / "model"
    shutil.copytree(weights_of(CASE.name), copied)
    return copied


def refused_file(folder: Path) -> str:
    with pytest.raises(WeightsError) as refusal:
        cases.load(CASE, folder)
    assert str(refusal.value.file) in str(refusal.value)
    return refusal.value.file.relative_to(folder).as_posix()


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("model_index.json", "model_index.json"),
        (TRANSFORMER, "transformer"),
        ("vae", "vae"),
        ("tokenizer", "tokenizer"),
        ("text_encoder/config.json", "text_encoder/config.json"),
        ("scheduler/scheduler_config.json", "scheduler/config.json"),
    ],
)
def test_given_a_missing_file_then_it_is_named(missing: str, named: str, folder: Path) -> None:
    path = folder / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    assert refused_file(folder) == named


@pytest.mark.parametrize("kept", [0, 7, 200, -1])
def test_given_a_truncated_file_then_it_is_named(kept: int, folder: Path) -> None:
    path = folder / TRANSFORMER
    path.write_bytes(path.read_bytes()[:kept])

    assert refused_file(folder) == TRANSFORMER


def test_given_garbage_in_place_of_the_header_then_the_file_is_named(folder: Path) -> None:
    path = folder / TRANSFORMER
    path.write_bytes(b"\xff" * path.stat().st_size)

    assert refused_file(folder) == TRANSFORMER


@pytest.mark.parametrize("header", [b"[]", b'{"a": 3}', b'{"a": {}}', b'{"a": {"data_offsets": [0, "x"]}}'])
def test_given_a_header_that_is_json_and_no_safetensors_then_the_file_is_named(header: bytes, folder: Path) -> None:
    (folder / TRANSFORMER).write_bytes(len(header).to_bytes(8, "little") + header)

    assert refused_file(folder) == TRANSFORMER


def test_given_a_missing_shard_then_it_is_named(folder: Path) -> None:
    whole = folder / TRANSFORMER
    first = "diffusion_pytorch_model-00001-of-00002.safetensors"
    second = "diffusion_pytorch_model-00002-of-00002.safetensors"
    whole.rename(whole.with_name(first))
    index = {"metadata": {"total_size": 1}, "weight_map": {"a": first, "b": second}}
    (folder / f"{TRANSFORMER}.index.json").write_text(json.dumps(index))

    assert refused_file(folder) == f"transformer/{second}"


@pytest.mark.parametrize("name", ["text_encoder/pytorch_model.bin", "vae/model.pt", "transformer/x.ckpt"])
def test_given_a_pickle_among_them_then_it_is_refused_by_name(name: str, folder: Path) -> None:
    (folder / name).write_bytes(b"\x80\x04K\x01.")

    assert refused_file(folder) == name


def test_given_malformed_json_then_the_file_is_named(folder: Path) -> None:
    (folder / "vae" / "config.json").write_text("{")

    assert refused_file(folder) == "vae/config.json"


def test_given_files_of_the_bf16_variant_alone_then_the_model_is_opened_from_them(tmp_path: Path) -> None:
    """Mochi-1's repository has both; only these are fetched."""
    tiny.mochi(tmp_path)
    for path in tmp_path.rglob("*.safetensors"):
        path.rename(path.with_name(f"{path.stem}.bf16.safetensors"))
    model = registry.load("mochi-1", weights_dir=tmp_path)

    model._pipelines.generation(with_image=False)  # type: ignore[attr-defined]
    model._pipelines.text(with_image=False)  # type: ignore[attr-defined]
