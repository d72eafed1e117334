"""LoRAs that are part of a model: in its weights before they are quantised, and nothing beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models import catalog, registry
from models.common.engine import DiffusersVideoModel
from models.common.loading import fused_loras
from models.common.lora import fuse
from models.common.pipelines import PipelineSet
from models.common.residency import Residency
from models.interface import CheckpointMismatch, GenerationRequest, LoraRef, VideoModel, WeightsError
from models.speed.quantised import QuantisedLinear
from models.speed.tiers import NONE, Acceleration
from models.wan.family import WanFamily, load
from tests.unit.models.families import cases
from tests.unit.models.families.test_lora import LAYERS, make_lora, stock_frames

CASE = cases.CASES["wan-t2v-two-experts"]
LEVELS = 1  # of 255: sums in another order


@pytest.fixture
def style(tmp_path: Path) -> LoraRef:
    return LoraRef(path=make_lora(tmp_path / "style.safetensors", seed=1), scale=1.0, name="style")


def opened(folder: Path, *fused: LoraRef, acceleration: Acceleration = NONE) -> DiffusersVideoModel:
    family = WanFamily(text=True, image=False, two_experts=True)
    pipelines = PipelineSet(
        family=family,
        folder=folder,
        device=torch.device("cpu"),
        dtype=torch.float32,
        residency=Residency(keep_text_encoder=True),
        acceleration=acceleration,
        fused=fused,
    )
    return DiffusersVideoModel(spec=catalog.get(CASE.model), family=family, pipelines=pipelines)


def close(frames: np.ndarray, others: np.ndarray) -> bool:
    return bool(np.abs(frames.astype(int) - others.astype(int)).max() <= LEVELS)


def test_given_a_fused_lora_then_frames_are_those_of_stock_diffusers_with_it_and_nothing_runs_beside_the_layers(
    style: LoraRef, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    model = opened(folder, style)

    frames = cases.frames_of(model, cases.request(CASE, folder))

    assert close(frames, stock_frames(folder, (style,)))
    assert not close(frames, cases.stock_frames(CASE, folder))
    pipe = model._pipelines.generation(with_image=False)
    for denoiser in (pipe.transformer, pipe.transformer_2):
        assert type(denoiser.get_submodule(LAYERS[0])) is torch.nn.Linear
        assert not getattr(denoiser, "peft_config", None)


def test_given_a_lora_by_request_on_top_when_it_is_gone_then_the_fused_one_is_left_bit_for_bit(
    style: LoraRef, tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    person = LoraRef(path=make_lora(tmp_path / "person.safetensors", seed=2), scale=0.5, name="person")
    model, plain = opened(folder, style), cases.request(CASE, folder)
    before = cases.frames_of(model, plain)

    with_person = cases.frames_of(model, cases.request(CASE, folder, loras=(person,)))

    assert close(with_person, stock_frames(folder, (style, person)))
    assert not close(with_person, before)
    np.testing.assert_array_equal(cases.frames_of(model, plain), before)


def test_given_int8_then_the_sum_of_weights_and_lora_is_what_is_quantised(
    style: LoraRef, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    with_lora = opened(folder)._pipelines.generation(with_image=False)
    fuse(type(with_lora), {"high_noise": with_lora.transformer}, (style,))

    quantised = opened(folder, style, acceleration=Acceleration(linears="int8"))._pipelines.generation(with_image=False)

    layer = quantised.transformer.get_submodule(LAYERS[0])
    expected = QuantisedLinear.of(with_lora.transformer.get_submodule(LAYERS[0]), "int8")
    assert isinstance(layer, QuantisedLinear)
    torch.testing.assert_close(layer.dequantised(), expected.dequantised(), rtol=0, atol=0)


def test_given_a_checkpoint_of_the_model_without_it_then_it_is_refused(
    style: LoraRef, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    plain = cases.request(CASE, folder)
    checkpoint = cases.checkpoint_after(opened(folder), plain, 2)

    with pytest.raises(CheckpointMismatch):
        cases.frames_of(opened(folder, style), plain, resume=checkpoint)


def test_given_a_lora_of_another_model_then_the_weights_are_called_wrong_with_its_keys(
    tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    save_file({"transformer.blocks.9.attn1.to_q.lora_A.weight": torch.zeros(2, 24)}, tmp_path / "other.safetensors")
    other = LoraRef(path=tmp_path / "other.safetensors", scale=1.0, name="other")

    with pytest.raises(WeightsError, match=r"blocks\.9"):
        cases.frames_of(opened(folder, other), cases.request(CASE, folder))


def test_given_a_lora_that_is_not_there_then_its_file_is_named_before_anything_is_read(tmp_path: Path) -> None:
    spec = catalog.get("wan2.2-t2v-a14b-4step")
    with pytest.raises(WeightsError, match=r"high_noise_model\.safetensors"):
        fused_loras(spec, tmp_path)

    for lora in spec.fused_loras:
        (tmp_path / lora.file).parent.mkdir(exist_ok=True)
        (tmp_path / lora.file).touch()
    found = fused_loras(spec, tmp_path)
    assert [(each.path, each.experts) for each in found] == [
        (tmp_path / lora.file, lora.expert) for lora in spec.fused_loras
    ]


def test_given_the_shipped_four_step_model_then_its_video_is_wan_minis_with_the_lora_by_request() -> None:
    spec = catalog.get("wan-mini-4step")
    asked: dict[str, Any] = {
        **{"prompt": "a red circle moves to the left", "width": 96, "height": 160, "num_frames": 17, "fps": 16},
        **{"num_inference_steps": 4, "guidance_scale": 1.0, "scheduler": spec.default.scheduler, "seed": 1},
    }
    folder = registry.CHECKPOINTS / spec.weights.repo
    frames = np.stack(list(generated(GenerationRequest(model=spec.id, **asked))))

    base = catalog.get("wan-mini").model_copy(update={"flow_shift": spec.flow_shift})
    by_request = GenerationRequest(model=base.id, loras=fused_loras(spec, folder), **asked)

    assert close(frames, np.stack(list(generated(by_request, load(base, weights_dir=folder, device="cpu", plan=None)))))


def generated(request: GenerationRequest, model: VideoModel | None = None) -> list[np.ndarray]:
    model = model or registry.load(request.model)
    return list(model.generate(request, on_step=lambda _: None, on_phase=lambda _: None))
