"""A coming request is made ready beside a generation under way, and its video stays the same."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tests.unit.models.families import cases

CASE = cases.CASES["wan-t2v-two-experts"]


def test_given_a_prefetched_request_then_its_video_is_the_same_and_the_encoder_is_not_asked_again(
    weights_of: Callable[[str], Path],
) -> None:
    folder = weights_of(CASE.name)
    asked = cases.request(CASE, folder, prompt="a text for later")
    expected = cases.frames_of(cases.load(CASE, folder), asked)
    model = cases.load(CASE, folder)
    frames = model.generate(
        cases.request(CASE, folder),
        resume=None,
        # Beside a generation under way, as the worker does it.
        on_step=lambda step: in_a_thread(lambda: model.prefetch(asked)) if step.index == 1 else None,
        on_phase=lambda phase: None,
    )
    assert sum(1 for _ in frames)
    model._pipelines._text.clear()  # it would have to be loaded again
    model._pipelines._load = refuse_to_load  # type: ignore[method-assign]

    np.testing.assert_array_equal(cases.frames_of(model, asked), expected)


def in_a_thread(action: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(action).result()


def refuse_to_load(with_image: bool, given: dict[str, object]) -> object:
    raise AssertionError("nothing is to be loaded")


def test_given_an_encoder_that_is_freed_after_use_then_prefetching_loads_nothing(
    weights_of: Callable[[str], Path],
) -> None:
    folder = weights_of(CASE.name)
    model = cases.load(CASE, folder)
    model._pipelines.residency = dataclasses.replace(model._pipelines.residency, keep_text_encoder=False)

    model.prefetch(cases.request(CASE, folder))

    assert not model._pipelines.text_is_loaded
    assert len(model._text_encoding.kept) == 0
