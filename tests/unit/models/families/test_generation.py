"""Progress, phases, stopping, refusals: what `generate` tells and what it will not do."""

import dataclasses
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from models.common.frames import open_image
from models.interface import GenerationStopped, Shot, Step, UnsupportedRequest
from tests.unit.models.families import cases

CASE = cases.CASES["wan-t2v-two-experts"]


def test_given_a_request_when_generated_then_phases_and_every_step_are_told_in_order(
    weights_of: Callable[[str], Path],
) -> None:
    folder = weights_of(CASE.name)
    told: list[str] = []

    frames = cases.load(CASE, folder).generate(
        cases.request(CASE, folder),
        on_step=lambda step: told.append(f"{step.index}/{step.total}"),
        on_phase=told.append,
    )

    assert told == [], "the work begins with the first frame"
    assert len(list(frames)) == 9
    assert told == ["encode", "denoise", "1/4", "2/4", "3/4", "4/4", "decode"]


def test_given_a_stop_after_a_step_then_no_further_step_runs_and_the_model_is_fit_for_the_next_request(
    weights_of: Callable[[str], Path],
) -> None:
    folder = weights_of(CASE.name)
    model, asked = cases.load(CASE, folder), cases.request(CASE, folder)
    expected = cases.frames_of(model, asked)
    done: list[int] = []

    def stop_after_two(step: Step) -> None:
        done.append(step.index)
        if step.index == 2:
            raise GenerationStopped

    with pytest.raises(GenerationStopped):
        cases.frames_of(model, asked, on_step=stop_after_two)

    assert done == [1, 2]
    np.testing.assert_array_equal(cases.frames_of(model, asked), expected)


def test_given_a_consumer_that_leaves_during_decoding_then_the_model_is_fit_for_the_next_request(
    weights_of: Callable[[str], Path],
) -> None:
    folder = weights_of(CASE.name)
    model, asked = cases.load(CASE, folder), cases.request(CASE, folder)
    expected = cases.frames_of(model, asked)

    frames = model.generate(asked, on_step=lambda step: None, on_phase=lambda phase: None)
    next(frames)
    frames.close()  # type: ignore[attr-defined]

    np.testing.assert_array_equal(cases.frames_of(model, asked), expected)


def test_given_an_unknown_scheduler_then_refused_naming_the_field_and_the_choices(
    weights_of: Callable[[str], Path],
) -> None:
    folder = weights_of(CASE.name)

    with pytest.raises(UnsupportedRequest, match="unipc") as refusal:
        cases.frames_of(cases.load(CASE, folder), cases.request(CASE, folder, scheduler="lms"))

    assert refusal.value.param == "scheduler"


@pytest.mark.parametrize("name", ["wan-t2v-two-experts", "hunyuan-t2v"])
def test_given_a_flow_shift_then_the_video_is_made_on_noise_levels_of_that_shift(
    name: str, weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    model = cases.load(case, folder)
    steps = cases.request(case, folder).num_inference_steps
    levels: dict[float | None, list[float]] = {}
    for shift in (None, 9.0):
        cases.frames_of(model, cases.request(case, folder, scheduler="flow-match-euler", flow_shift=shift))
        levels[shift] = model._pipelines.generation(with_image=False).scheduler.sigmas.tolist()[:steps]

    even = [1 - step / steps for step in range(steps)]
    assert levels[9.0] == pytest.approx([9 * at / (1 + 8 * at) for at in even])
    assert all(high > low for high, low in zip(levels[9.0][1:], levels[None][1:], strict=True))


@pytest.mark.parametrize(
    ("name", "changes", "param"),
    [
        ("wan-t2v-two-experts", {"image": Path("some.png")}, "image"),
        ("wan-i2v-two-experts", {"image": None}, "image"),
        ("ltx-t2v", {"flow_shift": 5.0}, "flow_shift"),
        ("mochi-t2v", {"continuity": "chain", "shots": (Shot(prompt="a"), Shot(prompt="b"))}, "continuity"),
    ],
)
def test_given_what_the_model_cannot_do_then_refused_at_the_call_naming_the_field(
    name: str, changes: dict[str, object], param: str, weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    if isinstance(changes.get("image"), Path):
        changes = changes | {"image": cases.request(cases.CASES["wan-i2v-two-experts"], folder).image}

    with pytest.raises(UnsupportedRequest) as refusal:
        cases.load(case, folder).generate(
            cases.request(case, folder, **changes), on_step=lambda step: None, on_phase=lambda phase: None
        )

    assert refusal.value.param == param


@pytest.mark.parametrize("kept", [0, 40, 100])
def test_given_a_file_that_is_no_image_then_refused_naming_the_image(
    kept: int, weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    case = cases.CASES["wan-i2v-two-experts"]
    folder = weights_of(case.name)
    asked = cases.request(case, folder)
    assert asked.image is not None
    (tmp_path / "broken.png").write_bytes(asked.image.read_bytes()[:kept] + b"not a picture")
    asked = dataclasses.replace(asked, image=tmp_path / "broken.png")

    with pytest.raises(UnsupportedRequest) as refusal:
        cases.frames_of(cases.load(case, folder), asked)

    assert refusal.value.param == "image"


def test_given_an_image_that_its_camera_held_sideways_then_it_is_turned_upright(tmp_path: Path) -> None:
    sideways = PIL.Image.new("RGB", (4, 2), "black")
    sideways.putpixel((0, 1), (255, 255, 255))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees clockwise to see it upright
    sideways.save(tmp_path / "sideways.png", exif=exif)

    upright = open_image(tmp_path / "sideways.png")

    assert upright.size == (2, 4)
    assert upright.getpixel((0, 0)) == (255, 255, 255)


def test_given_a_consumer_that_takes_one_frame_then_only_the_first_chunk_is_decoded(
    weights_of: Callable[[str], Path],
) -> None:
    folder = weights_of(CASE.name)
    model = cases.load(CASE, folder)
    decoded: list[int] = []
    pipe = model._pipelines.generation(with_image=False)
    pipe.vae.decoder.register_forward_hook(lambda module, given, made: decoded.append(made.shape[2]))

    next(model.generate(cases.request(CASE, folder), on_step=lambda step: None, on_phase=lambda phase: None))

    assert decoded == [1]


def test_given_a_model_that_is_unloaded_then_its_networks_are_gone(weights_of: Callable[[str], Path]) -> None:
    folder = weights_of(CASE.name)
    model = cases.load(CASE, folder)
    cases.frames_of(model, cases.request(CASE, folder))
    network = weakref.ref(model._pipelines.generation(with_image=False).transformer)

    model.unload()

    assert network() is None
