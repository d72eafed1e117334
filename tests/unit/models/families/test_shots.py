"""Shots on single-shot models: one generation each, cut or chained, with progress and checkpoints over the whole."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from models.interface import Checkpoint, Shot
from tests.unit.models.families import cases

SHOTS = (Shot(prompt="moving left"), Shot(prompt="moving up", num_frames=5), Shot(prompt="a green star"))


def test_given_cut_shots_then_the_video_is_one_generation_a_shot_joined(weights_of: Callable[[str], Path]) -> None:
    case = cases.CASES["wan-t2v-two-experts"]
    folder = weights_of(case.name)
    model = cases.load(case, folder)
    asked = cases.request(case, folder, prompt="a red circle", shots=SHOTS)

    video = cases.frames_of(model, asked)

    alone = [
        cases.frames_of(model, cases.request(case, folder, prompt=prompt, seed=cases.SEED + index, num_frames=frames))
        for index, (prompt, frames) in enumerate(
            [("a red circle moving left", 9), ("a red circle moving up", 5), ("a red circle a green star", 9)]
        )
    ]
    np.testing.assert_array_equal(video, np.concatenate(alone))
    assert len(video) == asked.total_frames


def test_given_chained_shots_then_each_starts_from_the_last_frame_of_the_one_before(
    weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    case = cases.CASES["wan-i2v-two-experts"]
    folder = weights_of(case.name)
    model = cases.load(case, folder)
    asked = cases.request(case, folder, prompt="", shots=SHOTS[:2], continuity="chain")

    video = cases.frames_of(model, asked)

    first = cases.frames_of(model, cases.request(case, folder, prompt="moving left"))
    PIL.Image.fromarray(first[-1]).save(tmp_path / "last.png")
    second = cases.frames_of(
        model,
        cases.request(case, folder, prompt="moving up", image=tmp_path / "last.png", seed=cases.SEED + 1, num_frames=5),
    )
    np.testing.assert_array_equal(video, np.concatenate([first, second]))


@pytest.mark.parametrize("name", ["wan-ti2v-text", "ltx-t2v", "hunyuan-i2v-token-replace"])
def test_given_models_that_take_text_or_image_when_chained_then_every_shot_after_the_first_is_image_to_video(
    name: str, weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    model = cases.load(case, folder)
    shots = (Shot(prompt="moving left"), Shot(prompt="moving up"))
    asked = cases.request(case, folder, shots=shots)

    chained = cases.frames_of(model, dataclasses.replace(asked, continuity="chain"))
    cut = cases.frames_of(model, asked)

    np.testing.assert_array_equal(chained[:9], cut[:9])
    assert not np.array_equal(chained[9:], cut[9:])


@pytest.mark.parametrize(
    ("name", "continuity"),
    [("wan-i2v-two-experts", "chain"), ("ltx-t2v-denoising-decoder", "cut"), ("ltx-t2v", "chain")],
)
def test_given_a_stop_after_any_step_of_any_shot_when_resumed_then_the_whole_video_is_identical(
    name: str, continuity: str, weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    asked = cases.request(
        case, folder, shots=(Shot(prompt="moving left"), Shot(prompt="moving up")), continuity=continuity
    )
    model = cases.load(case, folder)
    told: list[tuple[int, int]] = []
    whole = cases.frames_of(model, asked, on_step=lambda step: told.append((step.index, step.total)))
    total = 2 * cases.STEPS
    assert told == [(index, total) for index in range(1, total + 1)]

    for step in range(1, total + 1):
        path = tmp_path / f"{step}.safetensors"
        cases.checkpoint_after(model, asked, step).save(path)
        resumed = cases.frames_of(cases.load(case, folder), asked, resume=Checkpoint.load(path))
        np.testing.assert_array_equal(resumed, whole, err_msg=f"stopped after step {step} of {total}")


def test_given_a_resume_in_the_second_shot_when_stopped_again_then_that_checkpoint_holds_the_first_shot_too(
    weights_of: Callable[[str], Path],
) -> None:
    case = cases.CASES["wan-t2v-two-experts"]
    folder = weights_of(case.name)
    model = cases.load(case, folder)
    asked = cases.request(case, folder, shots=SHOTS[:2])
    first_stop = cases.checkpoint_after(model, asked, 5)
    taken: list[Checkpoint] = []

    cases.frames_of(model, asked, resume=first_stop, on_step=lambda step: taken.append(step.snapshot()))

    assert [checkpoint.step for checkpoint in taken] == [6, 7, 8]
    np.testing.assert_array_equal(
        cases.frames_of(model, asked, resume=taken[0]), cases.frames_of(model, asked), err_msg="second resume"
    )
