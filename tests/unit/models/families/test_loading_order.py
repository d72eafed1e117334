"""Denoisers are read one after the other, each taken to its place first: the host never holds two whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import WanTransformer3DModel

from models.common.pipelines import PipelineSet
from models.common.residency import Residency
from models.interface import LoraRef, WeightsError
from models.speed.tiers import NONE, Acceleration
from models.wan.family import WanFamily

FROM_DISK = Residency(keep_text_encoder=False, vae="on-demand", denoiser="streamed", from_disk=True)
ON_HOST = Residency(keep_text_encoder=False, text_on_host=True, vae="on-demand", denoiser="on-demand")


def pipelines(
    folder: Path, residency: Residency, *, acceleration: Acceleration = NONE, fused: tuple[LoraRef, ...] = ()
) -> PipelineSet:
    return PipelineSet(
        family=WanFamily(text=True, image=False, two_experts=True),
        folder=folder,
        device=torch.device("cpu"),
        dtype=torch.float32,
        residency=residency,
        acceleration=acceleration,
        fused=fused,
    )


@pytest.fixture
def folder(weights_of: Callable[[str], Path]) -> Path:
    return weights_of("wan-t2v-two-experts")


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done with the denoisers, in order."""
    events: list[str] = []
    read, stream = WanTransformer3DModel.from_pretrained, WanTransformer3DModel.enable_group_offload

    def reading(*args: Any, **kwargs: Any) -> Any:
        events.append("read")
        return read(*args, **kwargs)

    def streaming(*args: Any, **kwargs: Any) -> None:
        stream(*args, **kwargs)
        events.append("on disk")

    monkeypatch.setattr(WanTransformer3DModel, "from_pretrained", reading)
    monkeypatch.setattr(WanTransformer3DModel, "enable_group_offload", streaming)
    return events


def test_given_two_experts_when_loaded_then_the_first_is_at_its_place_before_the_second_is_read(
    folder: Path, happened: list[str]
) -> None:
    loaded = pipelines(folder, FROM_DISK)

    loaded.generation(with_image=False)

    assert happened == ["read", "on disk", "read", "on disk"]
    loaded.unload()


def test_given_a_second_expert_that_cannot_be_read_then_nothing_of_the_first_is_left(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    read = WanTransformer3DModel.from_pretrained

    def broken(*args: Any, **kwargs: Any) -> Any:
        if kwargs["subfolder"] == "transformer_2":
            assert list(tmp_path.glob("revalida-blocks-*")), "the first is there"
            raise OSError("the disk is gone")
        return read(*args, **kwargs)

    monkeypatch.setattr(WanTransformer3DModel, "from_pretrained", broken)
    with pytest.raises(WeightsError, match="the disk is gone"):
        pipelines(folder, FROM_DISK).generation(with_image=False)

    assert not list(tmp_path.glob("revalida-blocks-*"))


@pytest.mark.parametrize(("acceleration", "stays"), [(NONE, True), (Acceleration(linears="int8"), False)])
def test_given_denoisers_yet_to_be_quantised_then_the_text_encoder_makes_way_on_the_host_for_that_once(
    folder: Path, acceleration: Acceleration, stays: bool
) -> None:
    loaded = pipelines(folder, ON_HOST, acceleration=acceleration)

    loaded.text(with_image=False)
    loaded.release_text()
    assert loaded.text_is_loaded is stays
    loaded.generation(with_image=False)
    loaded.text(with_image=False)
    loaded.release_text()

    assert loaded.text_is_loaded


def test_given_a_fused_lora_for_an_expert_that_is_not_there_then_it_is_named(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "style.safetensors"
    path.touch()
    stranger = LoraRef(path=path, scale=1.0, name="style", experts="middle_noise")  # type: ignore[arg-type]

    with pytest.raises(WeightsError, match="no middle_noise expert for style"):
        pipelines(folder, ON_HOST, fused=(stranger,)).generation(with_image=False)
