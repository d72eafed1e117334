"""What is accepted and what is refused, whichever the door: the field is named, nothing is rounded."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import RequestError
from jobs.request import VideoRequest
from jobs.validation import parse, resolve
from models import catalog
from tests.unit.jobs.made import T0

TOO_LONG = catalog.get("wan-mini").limits.prompt_chars + 1
GOOD: dict[str, Any] = {"model": "wan-mini", "prompt": "a red circle"}


def validate(raw: object, *, texts: bool = False) -> VideoRequest:
    return resolve(parse(raw, texts=texts), default_model="wan-mini", now=T0)


def refusal(**changes: Any) -> RequestError:
    with pytest.raises(RequestError) as refused:
        validate({**GOOD, **changes})
    return refused.value


def test_given_a_prompt_alone_then_the_models_defaults_are_filled_in() -> None:
    request = validate({"prompt": "a red circle"})

    assert (request.model, request.size, request.num_frames, request.fps) == ("wan-mini", "128x128", 33, 16)
    assert (request.num_inference_steps, request.guidance_scale, request.seconds) == (20, 3.0, 2.0)


def test_given_no_seed_then_one_is_drawn_and_kept() -> None:
    assert {validate(GOOD).seed for _ in range(5)} != {validate(GOOD).seed}


@pytest.mark.parametrize("seconds", ["1", 1, 1.0, "1.0"])
def test_given_seconds_in_any_form_then_frames_follow(seconds: Any) -> None:
    assert validate({**GOOD, "seconds": seconds}).num_frames == 17


def test_given_portuguese_with_every_accent_then_it_is_kept() -> None:
    prompt = "À noite, três pássaros voam até o avião; coração, linguiça, pinguim, ÀÁÂÃÇÉÊÍÓÔÕÚÜ"

    assert validate({"prompt": prompt}).prompt == prompt


BAD: list[tuple[dict[str, Any], str]] = [
    ({"prompt": ""}, "prompt"),
    ({"prompt": " \n\t"}, "prompt"),
    ({"prompt": "x" * TOO_LONG}, "prompt"),
    ({"prompt": "x" * 1_000_000}, "prompt"),
    ({"prompt": 3}, "prompt"),
    ({"prompt": ["a"]}, "prompt"),
    ({"prompt": "\ud800"}, "prompt"),
    ({"model": "no-such-model"}, "model"),
    ({"model": ""}, "model"),
    ({"model": {"id": "wan-mini"}}, "model"),
    ({"sed": 1}, "sed"),
    ({"size": "128"}, "size"),
    ({"size": "128x"}, "size"),
    ({"size": "127x128"}, "size"),
    ({"size": "99999x99999"}, "size"),
    ({"size": "１２８x128"}, "size"),
    ({"size": 128}, "size"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**63}, "seed"),
    ({"seed": "1"}, "seed"),
    ({"seed": True}, "seed"),
    ({"seed": 1.5}, "seed"),
    ({"num_frames": 0}, "num_frames"),
    ({"num_frames": 18}, "num_frames"),
    ({"num_frames": 10**9}, "num_frames"),
    ({"num_frames": 33.0}, "num_frames"),
    ({"seconds": "1.3"}, "seconds"),
    ({"seconds": "-1"}, "seconds"),
    ({"seconds": "nan"}, "seconds"),
    ({"seconds": float("inf")}, "seconds"),
    ({"seconds": "9" * 400}, "seconds"),
    ({"seconds": True}, "seconds"),
    ({"seconds": "1", "num_frames": 33}, "num_frames"),
    ({"fps": 0}, "fps"),
    ({"fps": 10_000}, "fps"),
    ({"num_inference_steps": 0}, "num_inference_steps"),
    ({"num_inference_steps": 10**9}, "num_inference_steps"),
    ({"guidance_scale": float("nan")}, "guidance_scale"),
    ({"guidance_scale": 1e-300}, "guidance_scale"),
    ({"guidance_scale": 1e300}, "guidance_scale"),
    ({"guidance_scale": "3"}, "guidance_scale"),
    ({"guidance_scale_2": 300.0}, "guidance_scale_2"),
    ({"scheduler": "euler-a"}, "scheduler"),
    ({"scheduler": 4}, "scheduler"),
    ({"flow_shift": 0}, "flow_shift"),
    ({"flow_shift": 101}, "flow_shift"),
    ({"flow_shift": float("nan")}, "flow_shift"),
    ({"flow_shift": "5"}, "flow_shift"),
    ({"model": "cogvideox-5b", "flow_shift": 5}, "flow_shift"),
    ({"model": "wan-mini-4step", "flow_shift": 5}, "flow_shift"),
    ({"negative_prompt": "x" * TOO_LONG}, "negative_prompt"),
    ({"image": "data:image/png;base64,AAAA"}, "image"),
    ({"loras": [{"name": "../../secret"}]}, "loras[0].name"),
    ({"loras": [{"name": "a"}, {"name": "b", "scale": 100}]}, "loras[1].scale"),
    ({"loras": [{"name": "a"}] * 5}, "loras"),
    ({"metadata": {"a": 1}}, "metadata.a"),
    ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
    ({"metadata": {"a": "x" * 513}}, "metadata.a"),
    ({"deadline": int(T0) - 1}, "deadline"),
    ({"deadline": 10**30}, "deadline"),
    ({"continuity": "chain"}, "continuity"),
    ({"output": {"codec": "gif"}}, "output.codec"),
    ({"shots": []}, "shots"),
    ({"shots": [{"prompt": "a"}] * 10_000}, "shots"),
    ({"shots": [{"prompt": "a"}, {"prompt": ""}]}, "shots[1].prompt"),
    ({"shots": [{"prompt": "a", "num_frames": 18}]}, "shots[0].num_frames"),
    ({"shots": [{"text": "a"}]}, "shots[0].prompt"),
]


@pytest.mark.parametrize(("changes", "param"), BAD, ids=[f"{number}-{param}" for number, (_, param) in enumerate(BAD)])
def test_given_a_bad_field_then_the_refusal_names_it(changes: dict[str, Any], param: str) -> None:
    error = refusal(**changes)

    assert error.param == param
    assert len(error.message) < 700
    assert error.message.isprintable()


def test_given_what_a_model_cannot_do_then_the_nearest_is_named() -> None:
    assert "29" in refusal(num_frames=30).message
    assert "128x128" in refusal(size="128x130").message


def test_given_a_flow_shift_then_it_is_asked_for_and_else_the_published_one_is() -> None:
    assert validate({**GOOD, "flow_shift": 7.5}).flow_shift == 7.5
    assert validate({**GOOD, "flow_shift": "7.5"}, texts=True).flow_shift == 7.5
    assert validate(GOOD).flow_shift is None
    assert refusal(model="mochi-1", flow_shift=5).code == "flow_shift_not_supported"


def test_given_nothing_to_show_then_the_prompt_is_missing() -> None:
    with pytest.raises(RequestError) as refused:
        validate({"model": "wan-mini"})

    assert (refused.value.param, refused.value.code) == ("prompt", "missing_required_parameter")


@pytest.mark.parametrize("raw", [None, 1, "prompt", [], [GOOD], True])
def test_given_no_object_then_refused(raw: object) -> None:
    with pytest.raises(RequestError):
        validate(raw)


def test_given_a_thousand_levels_then_refused_without_recursion() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(RequestError, match="nested"):
        validate({**GOOD, "metadata": deep})


def test_given_shots_made_one_by_one_then_each_has_its_length() -> None:
    request = validate({"shots": [{"prompt": "a"}, {"prompt": "b", "num_frames": 17}], "num_frames": 49})

    assert [shot.num_frames for shot in request.shots] == [49, 17]
    assert request.total_frames == 66


NATIVE: dict[str, Any] = {"model": "holocine-mini", "prompt": "a lighthouse in a storm"}


def test_given_native_shots_then_the_video_has_the_frames_together() -> None:
    shots = [{"prompt": "a", "num_frames": 17}, {"prompt": "b", "num_frames": 32}]

    assert validate({**NATIVE, "shots": shots}).total_frames == 49


@pytest.mark.parametrize(
    "shots",
    [
        [{"prompt": "a", "num_frames": 16}, {"prompt": "b", "num_frames": 33}],
        [{"prompt": "a", "num_frames": 17}, {"prompt": "b"}],
        [{"prompt": "a", "num_frames": 17}, {"prompt": "b", "num_frames": 30}],
    ],
)
def test_given_native_shots_that_cannot_be_cut_so_then_refused(shots: Any) -> None:
    with pytest.raises(RequestError) as refused:
        validate({**NATIVE, "shots": shots})

    assert str(refused.value.param).startswith("shots")


def test_given_more_native_shots_than_the_frames_can_be_cut_into_then_the_nearest_are_named() -> None:
    asked = {"model": "holocine-14b", "prompt": "a lighthouse in a storm", "num_frames": 97}
    with pytest.raises(RequestError, match="19 shots, or 93 frames") as refused:
        validate({**asked, "shots": [{"prompt": "a"}] * 20})

    assert (refused.value.param, refused.value.code) == ("shots", "invalid_shots")
    assert len(validate({**asked, "shots": [{"prompt": "a"}] * 19}).shots) == 19
    assert len(validate({**asked, "num_frames": 93, "shots": [{"prompt": "a"}] * 20}).shots) == 20


def test_given_native_shots_without_a_scene_then_the_prompt_is_wanted() -> None:
    with pytest.raises(RequestError) as refused:
        validate({"model": "holocine-mini", "shots": [{"prompt": "a"}, {"prompt": "b"}]})

    assert refused.value.param == "prompt"


def test_given_texts_then_they_are_read_by_their_fields_types() -> None:
    request = validate({**GOOD, "seed": "5", "guidance_scale": "2.5", "num_inference_steps": "4"}, texts=True)

    assert (request.seed, request.guidance_scale, request.num_inference_steps) == (5, 2.5, 4)


@pytest.mark.parametrize("seed", ["5.5", "five", "", "-1", "9" * 5000])
def test_given_a_text_that_is_no_number_then_its_field_is_named(seed: str) -> None:
    with pytest.raises(RequestError) as refused:
        validate({**GOOD, "seed": seed}, texts=True)

    assert refused.value.param == "seed"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
FIELDS = st.sampled_from(sorted([*VideoRequest.model_fields, "seconds", "input_reference", "x[]", ""]))


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(FIELDS, ANYTHING, max_size=5), st.booleans())
def test_given_anything_at_all_then_accepted_or_refused_and_never_an_accident(raw: Any, texts: bool) -> None:
    with suppress(RequestError):
        validate(raw, texts=texts)
