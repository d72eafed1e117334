"""Texts are encoded once; the encoder is not even loaded for texts that are known."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models import catalog
from models.common.embeddings import EmbeddingCache
from models.common.engine import DiffusersVideoModel
from models.common.pipelines import PipelineSet
from models.common.residency import Residency
from models.interface import WeightsError
from models.wan.family import WanFamily
from tests.unit.models.families import cases

CASE = cases.CASES["wan-t2v-two-experts"]


def test_given_known_prompts_then_the_text_encoder_is_not_loaded(
    weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(weights_of(CASE.name), folder)
    family = WanFamily(text=True, image=False, two_experts=True)
    pipelines = PipelineSet(
        family=family,
        folder=folder,
        device=torch.device("cpu"),
        dtype=torch.float32,
        residency=Residency(keep_text_encoder=False),
    )
    model = DiffusersVideoModel(spec=catalog.get(CASE.model), family=family, pipelines=pipelines)
    first = cases.frames_of(model, cases.request(CASE, folder))
    assert not pipelines.text_is_loaded
    shutil.rmtree(folder / "text_encoder")

    again = cases.frames_of(model, cases.request(CASE, folder))

    np.testing.assert_array_equal(again, first)
    with pytest.raises(WeightsError):
        cases.frames_of(model, cases.request(CASE, folder, prompt="a text not seen before"))


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
