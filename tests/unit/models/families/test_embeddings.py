"""Texts are encoded once; the encoder is not even loaded for texts that are known."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from models.common.embeddings import EmbeddingCache
from models.common.engine import DiffusersVideoModel
from models.common.residency import Residency, Visitor
from models.interface import WeightsError
from tests.unit.models.families import cases
from tests.unit.models.families.test_residency import PLACES, open_model


def open_sparing(case: cases.Case, folder: Path) -> DiffusersVideoModel:
    """The case's model as on a GPU without room for the text encoder: it is freed after use."""
    model = cases.load(case, folder)
    model._pipelines.residency = dataclasses.replace(model._pipelines.residency, keep_text_encoder=False)
    return model


@pytest.mark.parametrize("name", cases.CASES)
def test_given_known_prompts_then_no_text_encoder_is_loaded(
    name: str, weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    case, folder = cases.CASES[name], tmp_path / "model"
    shutil.copytree(weights_of(name), folder)
    model = open_sparing(case, folder)
    asked = cases.request(case, folder, num_inference_steps=2)
    first = cases.frames_of(model, asked)
    assert not model._pipelines.text_is_loaded
    for component in model._family.text_components:
        shutil.rmtree(folder / component, ignore_errors=True)  # HunyuanVideo without image has no image processor

    np.testing.assert_array_equal(cases.frames_of(model, asked), first)
    other = dataclasses.replace(asked, seed=12, num_inference_steps=3)
    assert not np.array_equal(cases.frames_of(model, other), first), "the texts alone are kept"
    with pytest.raises(WeightsError):
        cases.frames_of(model, dataclasses.replace(asked, prompt="a text not seen before"))


def test_given_another_image_then_an_encoder_that_sees_it_encodes_again(
    weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    case = cases.CASES["hunyuan-i2v-token-replace"]
    folder = weights_of(case.name)
    model, asked = cases.load(case, folder), cases.request(case, folder, num_inference_steps=2)
    cases.frames_of(model, asked)
    known = len(model._text_encoding.kept)
    PIL.Image.new("RGB", (48, 48), "red").save(tmp_path / "other.png")

    cases.frames_of(model, dataclasses.replace(asked, image=tmp_path / "other.png"))

    assert len(model._text_encoding.kept) == known + 1


def test_given_more_texts_than_fit_then_the_least_recently_used_go() -> None:
    kibibyte = torch.zeros(256)
    cache = EmbeddingCache(capacity_gib=2.5 / 2**20)  # two and a half of them
    encoded: list[str] = []

    def get(text: str) -> None:
        def encode() -> dict[str, torch.Tensor]:
            encoded.append(text)
            return {"embeds": kibibyte}

        cache.get_or_encode(text, encode)

    for text in ("a", "b", "a", "c", "a", "b"):
        get(text)

    assert encoded == ["a", "b", "c", "b"]
    assert len(cache) == 2


class Watched:
    """What visits the device, and what it meets there. Places on a CPU are told of like on a GPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._there: dict[Visitor, str] = {}
        self.met: list[tuple[str, ...]] = []
        self.moves: list[str] = []
        come, go = Visitor.come, Visitor.go

        def coming(visitor: Visitor) -> None:
            come(visitor)
            self._note(visitor, there=True)

        def going(visitor: Visitor) -> None:
            go(visitor)
            self._note(visitor, there=False)

        monkeypatch.setattr(Visitor, "come", coming)
        monkeypatch.setattr(Visitor, "go", going)

    @property
    def there(self) -> tuple[str, ...]:
        return tuple(self._there.values())

    def _note(self, visitor: Visitor, *, there: bool) -> None:
        if there == (visitor in self._there):
            return
        name = type(visitor.module).__name__
        self.moves.append(f"{name} {'came' if there else 'went'}")
        if there:
            self._there[visitor] = name
            self.met.append(self.there)
        else:
            del self._there[visitor]


@pytest.fixture
def stopped(weights_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> tuple[DiffusersVideoModel, Watched]:
    """A model whose generation was stopped in mid-denoise, with an expert on the device."""
    case = cases.CASES["wan-t2v-two-experts"]
    folder = weights_of(case.name)
    watched = Watched(monkeypatch)
    model = open_model(case, folder, Residency(**PLACES[2]), "cpu")
    cases.checkpoint_after(model, cases.request(case, folder), 1)
    assert watched.there == ("WanTransformer3DModel",)
    return model, watched


def test_given_a_stopped_generation_when_a_new_text_comes_then_the_encoder_finds_the_device_empty(
    stopped: tuple[DiffusersVideoModel, Watched], weights_of: Callable[[str], Path]
) -> None:
    model, watched = stopped
    case = cases.CASES["wan-t2v-two-experts"]

    cases.frames_of(model, cases.request(case, weights_of(case.name), prompt="another text"))

    assert ("UMT5EncoderModel",) in watched.met
    assert all(len(there) == 1 for there in watched.met)


def test_given_a_stopped_generation_when_its_texts_are_known_then_the_expert_stays(
    stopped: tuple[DiffusersVideoModel, Watched], weights_of: Callable[[str], Path]
) -> None:
    model, watched = stopped
    case = cases.CASES["wan-t2v-two-experts"]
    watched.moves.clear()

    cases.frames_of(model, cases.request(case, weights_of(case.name)))

    expert, vae = "WanTransformer3DModel", "AutoencoderKLWan"
    expected = [f"{expert} went", f"{expert} came", f"{expert} went", f"{vae} came"]
    assert watched.moves == expected, "the second expert in the first one's stead, and the VAE in its"
