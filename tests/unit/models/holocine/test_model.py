"""HoloCine through the common interface, on tiny random weights in the published layout, float32 on the CPU."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models import catalog
from models.common.residency import Residency
from models.holocine.family import HoloCineFamily
from models.holocine.loading import HoloCinePipelines, expert_path
from models.holocine.model import HoloCineVideoModel
from models.interface import (
    Checkpoint,
    CheckpointMismatch,
    LoraRef,
    Shot,
    UnsupportedRequest,
    WeightsError,
)
from models.tiny.holocine import holocine
from tests.unit.models.holocine.tiny_case import STEPS, open_model, request_for, run

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("holocine")
    holocine(target)
    return target


@pytest.mark.parametrize("variant", ["full", "sparse"])
def test_given_shots_when_generated_then_one_video_of_all_shots_comes_out(folder: Path, variant: str) -> None:
    frames, checkpoints, phases = run(open_model(folder, variant), request_for(variant))
    assert frames.shape == (17, 32, 32, 3)
    assert frames.dtype == np.uint8
    assert [c.step for c in checkpoints] == list(range(1, STEPS + 1))
    assert phases == ["encode", "denoise", "decode"]


@pytest.mark.parametrize("variant", ["full", "sparse"])
def test_given_a_stop_at_every_step_when_resumed_by_a_fresh_model_then_the_frames_are_bit_identical(
    folder: Path, tmp_path: Path, variant: str
) -> None:
    whole, checkpoints, _ = run(open_model(folder, variant), request_for(variant))
    for checkpoint in checkpoints:
        path = tmp_path / f"{checkpoint.step}.safetensors"
        checkpoint.save(path)
        again, further, _ = run(open_model(folder, variant), request_for(variant), Checkpoint.load(path))
        assert np.array_equal(whole, again), checkpoint.step
        assert [c.step for c in further] == list(range(checkpoint.step + 1, STEPS + 1))


@pytest.mark.parametrize("variant", ["full", "sparse"])
def test_given_a_stop_when_resumed_in_a_fresh_process_then_the_frames_are_bit_identical(
    folder: Path, tmp_path: Path, variant: str
) -> None:
    whole, checkpoints, _ = run(open_model(folder, variant), request_for(variant))
    # Between the experts: the high-noise one has run, the low-noise one has not.
    checkpoints[1].save(tmp_path / "checkpoint.safetensors")
    arguments = [str(folder), variant, str(tmp_path / "checkpoint.safetensors"), str(tmp_path / "frames.npy")]
    subprocess.run([sys.executable, "-m", "tests.unit.models.holocine.tiny_case", *arguments], check=True, cwd=ROOT)
    assert np.array_equal(whole, np.load(tmp_path / "frames.npy"))


@pytest.mark.parametrize(
    ("tier", "tiles", "in_tiles"), [("exact", False, True), ("fast", False, False), ("fast", True, True)]
)
def test_given_the_fast_tier_when_whole_frames_fit_then_they_are_decoded_without_the_references_tiles(
    folder: Path, tier: Any, tiles: bool, in_tiles: bool
) -> None:
    pipelines = HoloCinePipelines(
        variant="full",
        family=HoloCineFamily(text_length=256),
        folder=folder,
        device=torch.device("cpu"),
        dtype=torch.float32,
        residency=Residency(keep_text_encoder=True, tier=tier, vae_tiling=tiles),
    )
    vae = pipelines.generation(with_image=False).vae
    assert vae.use_tiling is in_tiles
    assert (vae.tile_sample_min_width == 416) is in_tiles


def test_given_a_bfloat16_run_when_resumed_after_any_step_then_latents_stay_bfloat16_and_frames_are_identical(
    folder: Path,
) -> None:
    def in_bfloat16() -> HoloCineVideoModel:
        family = HoloCineFamily(text_length=256)
        pipelines = HoloCinePipelines(
            variant="sparse",
            family=family,
            folder=folder,
            device=torch.device("cpu"),
            dtype=torch.bfloat16,
            residency=Residency(keep_text_encoder=True),
        )
        return HoloCineVideoModel(spec=catalog.get("holocine-mini-sparse"), family=family, pipelines=pipelines)

    whole, checkpoints, _ = run(in_bfloat16(), request_for("sparse"))
    assert {c.tensors["latents"].dtype for c in checkpoints} == {torch.bfloat16}
    model = in_bfloat16()
    for checkpoint in checkpoints:
        assert np.array_equal(whole, run(model, request_for("sparse"), checkpoint)[0]), checkpoint.step


def test_given_other_cuts_when_resumed_then_the_checkpoint_is_refused_by_name(folder: Path) -> None:
    model = open_model(folder)
    _, checkpoints, _ = run(model, request_for())
    shots = tuple(replace(s, num_frames=n) for s, n in zip(request_for().shots, (9, 4, 4), strict=True))
    assert request_for(shots=shots).num_frames == 17
    with pytest.raises(CheckpointMismatch) as refused:
        run(model, request_for(shots=shots), checkpoints[0])
    assert refused.value.fields == ("cuts",)


def test_given_another_cut_when_generated_then_the_video_is_another(folder: Path) -> None:
    model = open_model(folder)
    even, _, _ = run(model, request_for())
    shots = tuple(replace(s, num_frames=n) for s, n in zip(request_for().shots, (9, 4, 4), strict=True))
    uneven, _, _ = run(model, request_for(shots=shots))
    assert not np.array_equal(even, uneven)


def test_given_the_same_weights_when_sparse_then_even_one_shot_differs_from_full(folder: Path) -> None:
    one_shot: dict[str, Any] = {"shots": (Shot(prompt="it moves"),)}
    full, _, _ = run(open_model(folder), request_for(**one_shot))
    sparse, _, _ = run(open_model(folder, "sparse"), request_for("sparse", **one_shot))
    assert not np.array_equal(full, sparse)


def test_given_no_guidance_when_the_negative_prompt_changes_then_the_video_is_the_same(folder: Path) -> None:
    model = open_model(folder)
    unguided: dict[str, Any] = {"guidance_scale": 1.0}
    first, _, _ = run(model, request_for(**unguided))
    negative, _, _ = run(model, request_for(**unguided, negative_prompt="other"))
    # No negative pass, so its text cannot matter.
    assert np.array_equal(first, negative)


def test_given_a_lora_when_taken_off_again_then_the_video_is_the_one_before(folder: Path, tmp_path: Path) -> None:
    model, path = open_model(folder, "sparse"), tmp_path / "lora.safetensors"
    layer = "transformer.blocks.1.attn1.to_q"
    save_file({f"{layer}.lora_A.weight": torch.ones(4, 24), f"{layer}.lora_B.weight": torch.ones(24, 4)}, path)
    before, _, _ = run(model, request_for("sparse"))
    lora = LoraRef(path=path, scale=1.0, name="character", experts="low_noise")
    with_lora, _, _ = run(model, request_for("sparse", loras=(lora,)))
    after, _, _ = run(model, request_for("sparse"))
    assert not np.array_equal(before, with_lora)
    assert np.array_equal(before, after)


def test_given_a_prompt_without_shots_when_generated_then_it_is_one_shot(folder: Path) -> None:
    frames, _, _ = run(open_model(folder, "sparse"), request_for("sparse", shots=(), prompt="a plain circle"))
    assert frames.shape[0] == 17


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"width": 40}, "size"),
        ({"num_frames": 18}, "num_frames"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "a [shot cut] circle"}, "prompt"),
        ({"shots": (Shot(prompt="x", num_frames=9), Shot(prompt="y"))}, "shots"),
        ({"shots": (Shot(prompt="x", num_frames=8), Shot(prompt="y", num_frames=9))}, "shots[0].num_frames"),
        ({"continuity": "chain"}, "continuity"),
        ({"guidance_scale": 0.5}, "guidance_scale"),
        ({"scheduler": "unipc"}, "scheduler"),
    ],
)
def test_given_what_cannot_be_made_exactly_when_asked_then_it_is_refused_by_field_before_any_work(
    folder: Path, changes: dict[str, Any], param: str
) -> None:
    with pytest.raises(UnsupportedRequest) as refused:
        open_model(folder).generate(request_for(**changes), on_step=lambda _: None, on_phase=lambda _: None)
    assert refused.value.param == param


def test_given_more_text_than_the_encoder_reads_when_encoded_then_it_is_refused_and_not_truncated(folder: Path) -> None:
    with pytest.raises(UnsupportedRequest, match="the model reads") as refused:
        run(open_model(folder), request_for(prompt="long " * 200))
    assert refused.value.param == "prompt"
    with pytest.raises(UnsupportedRequest, match="the model reads") as refused:
        run(open_model(folder), request_for(negative_prompt="long " * 200))
    assert refused.value.param == "negative_prompt"


def test_given_a_missing_expert_when_opened_then_its_file_is_named(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for path in folder.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    expert_path(copy, "sparse", "low").unlink()
    open_model(copy, "full")
    with pytest.raises(WeightsError, match=r"sparse_low_noise\.safetensors"):
        open_model(copy, "sparse")


def test_given_a_saved_folder_when_looked_into_then_the_experts_lie_once_under_their_original_names(
    folder: Path,
) -> None:
    assert json.loads((folder / "model_index.json").read_text())["transformer"] == [
        "diffusers",
        "WanTransformer3DModel",
    ]
    assert not list((folder / "transformer").glob("*.safetensors"))
    assert expert_path(folder, "full", "high").is_file()
