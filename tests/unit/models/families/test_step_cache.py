"""Steps taken from the one before: none at a threshold of zero, all at a huge one, and never another video's."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.common.residency import Residency
from models.speed.tiers import Acceleration
from tests.unit.models.families import cases
from tests.unit.models.families.test_residency import of_family

RESIDENT = Residency(keep_text_encoder=True)
STREAMED = Residency(keep_text_encoder=True, denoiser="streamed")
SHARED = Residency(keep_text_encoder=True, tier="exact")  # guidance passes share the first block
CACHED = ("wan-t2v-two-experts", "hunyuan-t2v", "cogvideox-t2v", "ltx-t2v")
ALWAYS, NEVER = Acceleration(step_cache=1e9), Acceleration(step_cache=0.0)


@pytest.mark.parametrize("name", CACHED)
@pytest.mark.parametrize("residency", [RESIDENT, STREAMED, SHARED])
def test_given_a_threshold_of_zero_then_every_step_is_computed(
    name: str, residency: Residency, weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    asked = cases.request(case, folder)

    frames = cases.frames_of(of_family(case, folder, residency, NEVER), asked)

    np.testing.assert_array_equal(frames, cases.frames_of(of_family(case, folder, residency), asked))


@pytest.mark.parametrize("name", CACHED)
@pytest.mark.parametrize("residency", [RESIDENT, STREAMED, SHARED])
def test_given_a_huge_threshold_then_steps_are_taken_from_the_first_and_the_next_video_begins_anew(
    name: str, residency: Residency, weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    asked = cases.request(case, folder)
    model = of_family(case, folder, residency, ALWAYS)

    frames = cases.frames_of(model, asked)
    cases.frames_of(model, replace(asked, seed=asked.seed + 1))

    assert not np.array_equal(frames, cases.frames_of(of_family(case, folder, residency), asked))
    np.testing.assert_array_equal(cases.frames_of(model, asked), frames, err_msg="after another video")


def test_given_a_model_whose_passes_share_a_context_then_it_is_not_cached(weights_of: Callable[[str], Path]) -> None:
    case, folder = cases.CASES["mochi-t2v"], weights_of("mochi-t2v")
    asked = cases.request(case, folder)

    frames = cases.frames_of(of_family(case, folder, RESIDENT, ALWAYS), asked)

    np.testing.assert_array_equal(frames, cases.frames_of(of_family(case, folder, RESIDENT), asked))
