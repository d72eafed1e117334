"""A plan's places change where a model lies and not one bit of what it makes; plans that cannot be run are refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import catalog, estimate, placement
from models.common.engine import DiffusersVideoModel
from models.common.pipelines import PipelineSet
from models.common.residency import Residency
from models.interface import CheckpointMismatch, UnsupportedRequest
from models.speed.tiers import Acceleration
from models.wan.family import WanFamily
from tests.unit.models.families import cases

PLACES: list[dict[str, Any]] = [
    {"keep_text_encoder": True},
    {"keep_text_encoder": False, "vae": "on-demand"},
    {"keep_text_encoder": False, "vae": "on-demand", "denoiser": "on-demand"},
    {"keep_text_encoder": False, "vae": "on-demand", "denoiser": "streamed"},
    {"keep_text_encoder": False, "vae": "on-demand", "denoiser": "streamed", "from_disk": True},
]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def open_model(
    case: cases.Case, folder: Path, residency: Residency, device: str, dtype: torch.dtype = torch.float32
) -> DiffusersVideoModel:
    family = WanFamily(text=not case.with_image, image=case.with_image, two_experts=True)
    pipelines = PipelineSet(family=family, folder=folder, device=torch.device(device), dtype=dtype, residency=residency)
    return DiffusersVideoModel(spec=catalog.get(case.model), family=family, pipelines=pipelines)


def of_family(
    case: cases.Case, folder: Path, residency: Residency, acceleration: Acceleration | None = None
) -> DiffusersVideoModel:
    """Any case's model on the CPU, in this residency."""
    loaded = cases.load(case, folder)
    loaded._pipelines = PipelineSet(
        family=loaded._family,
        folder=folder,
        device=torch.device("cpu"),
        dtype=torch.float32,
        residency=residency,
        acceleration=acceleration,
    )
    return loaded


def plan(slot: str, **changes: Any) -> placement.Plan:
    spec = catalog.get("wan2.2-t2v-a14b")
    found = placement.plan(spec, estimate.Work.default(spec), estimate.Slot.parse(slot))
    assert isinstance(found, placement.Plan)
    return found._replace(**changes)


@pytest.mark.parametrize("name", ["wan-t2v-two-experts", "wan-i2v-two-experts"])
@pytest.mark.parametrize("places", PLACES[:-1])
def test_given_other_places_then_frames_are_the_same(
    name: str, places: dict[str, Any], weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)

    frames = cases.frames_of(open_model(case, folder, Residency(**places), "cpu"), cases.request(case, folder))

    np.testing.assert_array_equal(frames, cases.stock_frames(case, folder))


@needs_gpu
@pytest.mark.parametrize("name", ["wan-t2v-two-experts", "wan-i2v-two-experts"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("places", PLACES[1:])
def test_given_a_gpu_when_parts_visit_or_stream_and_the_run_is_resumed_then_frames_are_those_of_a_resident_model(
    name: str, places: dict[str, Any], dtype: torch.dtype, weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    asked = cases.request(case, folder)
    resident = cases.frames_of(open_model(case, folder, Residency(**PLACES[0]), "cuda", dtype), asked)
    model = open_model(case, folder, Residency(**places), "cuda", dtype)

    np.testing.assert_array_equal(cases.frames_of(model, asked), resident)
    np.testing.assert_array_equal(cases.frames_of(model, asked), resident, err_msg="second request")
    for step in range(1, cases.STEPS + 1):
        resumed = cases.frames_of(
            open_model(case, folder, Residency(**places), "cuda", dtype),
            asked,
            resume=cases.checkpoint_after(model, asked, step),
        )
        np.testing.assert_array_equal(resumed, resident, err_msg=f"stopped after step {step}")


@needs_gpu
def test_given_a_gpu_when_the_denoiser_is_on_demand_then_only_the_expert_at_work_is_there(
    weights_of: Callable[[str], Path],
) -> None:
    case = cases.CASES["wan-t2v-two-experts"]
    folder = weights_of(case.name)
    model = open_model(case, folder, Residency(**PLACES[2]), "cuda")
    pipe = model._pipelines.generation(with_image=False)
    seen = set()

    cases.frames_of(
        model,
        cases.request(case, folder),
        on_step=lambda step: seen.add((pipe.transformer.device.type, pipe.transformer_2.device.type)),
    )

    assert seen == {("cuda", "cpu"), ("cpu", "cuda")}
    assert pipe.vae.device.type == "cuda", "the VAE came last"


def test_given_blocks_that_stream_from_the_disk_then_they_make_the_same_video_and_unloading_takes_their_files_away(
    weights_of: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    case = cases.CASES["wan-t2v-two-experts"]
    folder = weights_of(case.name)
    model = open_model(case, folder, Residency(**PLACES[-1]), "cpu")

    frames = cases.frames_of(model, cases.request(case, folder))

    # Tensors of a file are aligned otherwise than the allocator's, and a CPU then rounds other sums: one step of 255.
    np.testing.assert_allclose(frames.astype(int), cases.stock_frames(case, folder).astype(int), atol=1)
    assert len(list(tmp_path.glob("revalida-blocks-*"))) == 2, "one folder an expert"
    assert list(tmp_path.glob("revalida-blocks-*/*.safetensors"))
    model.unload()
    assert not list(tmp_path.glob("revalida-blocks-*"))


def test_given_a_plan_with_tiled_decoding_when_resumed_without_it_then_refused_for_the_numerics(
    weights_of: Callable[[str], Path],
) -> None:
    case = cases.CASES["wan-t2v-two-experts"]
    folder = weights_of(case.name)
    asked = cases.request(case, folder)
    tiled = open_model(case, folder, Residency(keep_text_encoder=True, vae_tiling=True), "cpu")
    plain = open_model(case, folder, Residency(keep_text_encoder=True), "cpu")

    with pytest.raises(CheckpointMismatch) as refusal:
        cases.frames_of(plain, asked, resume=cases.checkpoint_after(tiled, asked, 1))

    assert refusal.value.fields == ("numerics",)


def test_given_a_plan_then_its_modes_are_taken_over() -> None:
    streamed = plan("A10G")

    residency = Residency.of(streamed, torch.device("cuda"))

    assert streamed.stream_from_disk, "a quarter of a g5.12xlarge cannot hold both experts"
    assert residency.denoiser == streamed.denoiser.mode
    assert residency.vae == streamed.vae.mode
    assert residency.from_disk == streamed.stream_from_disk
    assert residency.vae_tiling == streamed.vae_tiling
    assert residency.keep_text_encoder == (streamed.text_encoder.mode == "resident")


def test_given_a_plan_of_the_fast_tier_then_its_quantised_denoiser_is_taken_over() -> None:
    quantised = plan("A10G", denoiser=placement.PartPlan("on-demand", "int8", 13.4, 26.8), tier="fast")

    residency = Residency.of(quantised, torch.device("cuda"))

    assert (residency.tier, residency.denoiser, residency.denoiser_dtype) == ("fast", "on-demand", "int8")


@pytest.mark.parametrize("name", ["wan-t2v-two-experts", "cogvideox-t2v", "mochi-t2v", "ltx-t2v"])
@pytest.mark.parametrize("places", [PLACES[1], PLACES[2], PLACES[3]])
def test_given_an_int8_denoiser_then_it_runs_in_any_place_and_its_checkpoints_are_its_own(
    name: str, places: dict[str, Any], weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    asked = cases.request(case, folder)
    exact = cases.load(case, folder)
    quantised = of_family(case, folder, Residency(**places, denoiser_dtype="int8"))

    difference = np.abs(cases.frames_of(quantised, asked).astype(int) - cases.frames_of(exact, asked).astype(int))

    assert 0 < difference.mean() < 12, "random weights: a sanity check, quality is judged by the trained model"
    with pytest.raises(CheckpointMismatch):
        cases.frames_of(exact, asked, resume=cases.checkpoint_after(quantised, asked, 1))


@pytest.mark.parametrize(
    "name",
    [
        "wan-t2v-two-experts",
        "wan-ti2v-text",
        "wan-ti2v-image",
        "hunyuan-t2v",
        "hunyuan-i2v-token-replace",
        "hunyuan-i2v-latent-concat",
        "cogvideox-t2v",
        "mochi-t2v",
    ],
)
def test_given_trimmed_texts_then_frames_are_the_stock_ones_within_rounding(
    name: str, weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    trimmed = of_family(case, folder, Residency(keep_text_encoder=True), Acceleration(trimmed=True))

    frames = cases.frames_of(trimmed, cases.request(case, folder)).astype(int)

    np.testing.assert_allclose(frames, cases.stock_frames(case, folder).astype(int), atol=1)


def test_given_a_plan_for_several_gpus_then_refused_naming_the_plan() -> None:
    with pytest.raises(UnsupportedRequest) as refusal:
        Residency.of(plan("A10G", layout=estimate.Layout(cfg=2, ulysses=1)), torch.device("cuda"))

    assert refusal.value.param == "plan"
