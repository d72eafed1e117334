"""Our frames are the stock pipeline's, bit for bit, for every family, task and scheduler that is offered."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.unit.models.families import cases

EVERY = [(name, scheduler) for name, case in cases.CASES.items() for scheduler in case.schedulers]


@pytest.mark.parametrize(("name", "scheduler"), EVERY)
def test_given_the_same_arguments_frames_equal_the_stock_pipelines(
    name: str, scheduler: str, weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)

    ours = cases.frames_of(cases.load(case, folder), cases.request(case, folder, scheduler=scheduler))

    stock = cases.stock_frames(case, folder, scheduler)
    assert ours.std() > 1, "a flat video would equal anything"
    np.testing.assert_array_equal(ours, stock)


@pytest.mark.parametrize("name", cases.CASES)
def test_given_another_prompt_or_seed_frames_differ(name: str, weights_of: Callable[[str], Path]) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    model = cases.load(case, folder)

    frames = cases.frames_of(model, cases.request(case, folder))

    assert not np.array_equal(frames, cases.frames_of(model, cases.request(case, folder, prompt="green star")))
    assert not np.array_equal(frames, cases.frames_of(model, cases.request(case, folder, seed=12)))
