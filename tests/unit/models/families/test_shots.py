"""Shots on single-shot models: one generation each, cut or chained, with progress and checkpoints over the whole."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from models.interface import Checkpoint, Shot
from tests.unit.models.families import cases

FEW_STEPS: dict[str, Any] = {"num_inference_steps": 2}
# Frames of two shots, as the family's frame rule has them.
LENGTHS = {"wan": (9, 5), "hunyuan_video": (9, 5), "cogvideox": (9, 17), "mochi": (7, 13), "ltx": (9, 17)}
SHOTS = (Shot(prompt="moving left"), Shot(prompt="moving up", num_frames=5), Shot(prompt="a green star"))


EITHER = list({case.model: case.name for case in cases.CASES.values()}.values())
TAKE_IMAGES = list({case.model: case.name for case in cases.CASES.values() if case.with_image}.values())


@pytest.mark.parametrize("name", EITHER)
def test_given_cut_shots_on_any_model_then_the_video_is_one_generation_a_shot_joined(
    name: str, weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    model = cases.load(case, folder)
    longer, shorter = LENGTHS[case.family]
    shots = (Shot(prompt="moving left"), Shot(prompt="a green star", num_frames=shorter))
    asked = cases.request(case, folder, prompt="a red circle", shots=shots, num_frames=longer, **FEW_STEPS)
    steps: list[tuple[int, int]] = []

    video = cases.frames_of(model, asked, on_step=lambda step: steps.append((step.index, step.total)))

    alone = [
        cases.frames_of(
            model,
            cases.request(case, folder, prompt=prompt, seed=cases.SEED + index, num_frames=frames, **FEW_STEPS),
        )
        for index, (prompt, frames) in enumerate(
            [("a red circle moving left", longer), ("a red circle a green star", shorter)]
        )
    ]
    np.testing.assert_array_equal(video, np.concatenate(alone))
    assert len(video) == asked.total_frames == longer + shorter
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("name", TAKE_IMAGES)
def test_given_chained_shots_on_any_model_that_takes_images_then_each_starts_from_the_last_frame_before(
    name: str, weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    model = cases.load(case, folder)
    shots = (Shot(prompt="moving left"), Shot(prompt="moving up"))
    asked = cases.request(case, folder, prompt="", shots=shots, continuity="chain", **FEW_STEPS)

    video = cases.frames_of(model, asked)

    first = cases.frames_of(model, cases.request(case, folder, prompt="moving left", **FEW_STEPS))
    PIL.Image.fromarray(first[-1]).save(tmp_path / "last.png")
    from_there = {"image": tmp_path / "last.png", "seed": cases.SEED + 1}
    second = cases.frames_of(model, cases.request(case, folder, prompt="moving up", **FEW_STEPS, **from_there))
    np.testing.assert_array_equal(video, np.concatenate([first, second]))


@pytest.mark.parametrize("name", ["wan-ti2v-text", "ltx-t2v"])
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
