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
from models.interface import WeightsError
from tests.unit.models.families import cases


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
    known = len(model._embeddings)
    PIL.Image.new("RGB", (48, 48), "red").save(tmp_path / "other.png")

    cases.frames_of(model, dataclasses.replace(asked, image=tmp_path / "other.png"))

    assert len(model._embeddings) == known + 1


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
