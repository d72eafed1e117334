"""Prompts, cuts and token ranges against every entry of the goldens' prompt_and_shots.json."""

import json
from typing import Any

import pytest
import torch
from diffusers.pipelines.wan.pipeline_wan import prompt_clean

from models import catalog
from models.catalog.cuts import can_be_cut, round_frames
from models.common.schedulers import EvenFlowEuler
from models.holocine.errors import HoloCineError, PromptError, ShotError
from models.holocine.layout import ShotLayout
from models.holocine.prompt import (
    CaptionSpan,
    Token,
    check_captions,
    find_spans,
    include_leading_space,
    text_ranges,
    token_shot_ids,
)
from models.holocine.scheduler import BOUNDARY_RATIO
from models.holocine.shots import (
    ShotSequence,
    cuts_of_shot_lengths,
    latent_shot_indices,
    plan_captions,
    plan_prompt,
    resolve_sequence,
    round_size,
)
from tests.unit.models.holocine.goldens import GOLDENS, text_ranges_of

RULES: dict[str, Any] = json.loads((GOLDENS / "prompt_and_shots.json").read_text())
TEXTS = RULES["text_token_cases"]


def resolve(given: dict[str, Any]) -> Any:
    return resolve_sequence(
        global_caption=given.get("global_caption"),
        shot_captions=given.get("shot_captions") or (),
        prompt=given.get("prompt"),
        num_frames=given.get("num_frames"),
        cuts=given.get("shot_cut_frames"),
    )


@pytest.mark.parametrize("entry", [e for e in RULES["input_wrapper_cases"] if "expected" in e], ids=json.dumps)
def test_given_a_golden_input_when_resolved_then_prompt_frames_cuts_and_shots_are_the_golden_ones(
    entry: dict[str, Any],
) -> None:
    got, expected = resolve(entry["input"]), entry["expected"]
    assert got.prompt == expected["prompt"]
    assert got.num_frames == expected["effective_num_frames"]
    assert got.cuts == (None if expected["shot_cut_frames"] is None else tuple(expected["shot_cut_frames"]))
    shots = expected["shot_indices"]
    assert got.shot_of_latent_frame == (None if shots is None else tuple(shots))


@pytest.mark.parametrize("entry", [e for e in RULES["input_wrapper_cases"] if "raises" in e], ids=json.dumps)
def test_given_a_golden_input_that_is_refused_when_resolved_then_it_is_refused(entry: dict[str, Any]) -> None:
    assert entry["raises"] == "ValueError"
    with pytest.raises(ValueError):  # noqa: PT011  # the goldens know no more
        resolve(entry["input"])


@pytest.mark.parametrize("entry", [e for e in RULES["input_wrapper_cases"] if "expected" in e], ids=json.dumps)
def test_given_a_golden_input_when_planned_then_it_is_unchanged_or_refused_but_never_rounded(
    entry: dict[str, Any],
) -> None:
    given, expected = entry["input"], entry["expected"]
    structured = bool(given.get("global_caption")) and bool(given.get("shot_captions"))
    frames, cuts = given.get("num_frames", 81), given.get("shot_cut_frames")

    def plan() -> ShotSequence:
        if structured:
            return plan_captions(given["global_caption"], given["shot_captions"], num_frames=frames, cuts=cuts)
        return plan_prompt(given["prompt"], num_frames=frames, cuts=cuts)

    rounded = frames != expected["effective_num_frames"] or any(cut % 4 != 1 for cut in cuts or ())
    if rounded or (cuts != expected["shot_cut_frames"] and bool(cuts)) or sorted(cuts or ()) != (cuts or []):
        with pytest.raises(ShotError):
            plan()
        return
    try:
        planned = plan()
    except HoloCineError:
        captions = len(given["shot_captions"]) if structured else len(find_spans(given["prompt"])) - 1
        assert captions != max(expected["shot_indices"] or [-1]) + 1
    else:
        assert (planned.prompt, planned.num_frames) == (expected["prompt"], frames)
        assert expected["shot_indices"] is None or planned.shot_of_latent_frame == tuple(expected["shot_indices"])


def test_given_golden_frame_counts_when_rounded_then_halves_go_to_the_even_multiple() -> None:
    assert [[n, round_frames(n)] for n, _ in RULES["enforce_4t_plus_1"]] == RULES["enforce_4t_plus_1"]


def test_given_golden_sizes_when_rounded_then_all_go_up() -> None:
    for case in RULES["size_cases"]:
        assert list(round_size(*case["input"])) == case["expected"], case


def test_given_golden_cut_lists_when_mapped_then_each_latent_frame_has_its_shot() -> None:
    for case in RULES["pipeline_cut_cases"]:
        cuts, expected = case["input"]["shot_cut_frames"], case["expected"]["shot_indices"]
        if cuts is not None:
            assert list(latent_shot_indices(cuts, case["input"]["num_frames"])) == expected, case


@pytest.mark.parametrize("case", RULES["scheduler_cases"], ids=lambda c: f"{c['num_inference_steps']}-{c['shift']}")
def test_given_golden_steps_when_scheduled_then_sigmas_timesteps_and_experts_are_the_golden_ones(
    case: dict[str, Any],
) -> None:
    scheduler = EvenFlowEuler(shift=case["shift"])
    scheduler.set_timesteps(case["num_inference_steps"])
    torch.testing.assert_close(scheduler.sigmas[:-1], torch.tensor(case["sigmas"]), rtol=0, atol=1e-6)
    assert scheduler.sigmas[-1] == 0
    torch.testing.assert_close(scheduler.timesteps, torch.tensor(case["timesteps"]), rtol=0, atol=1e-3)
    bf16 = scheduler.timesteps.to(torch.bfloat16).float()
    assert bf16.tolist() == case["timesteps_as_fed_to_bf16_model"]
    assert ["high" if t >= BOUNDARY_RATIO * 1000 else "low" for t in scheduler.timesteps] == case["model"]


def tokens_of(case: dict[str, Any]) -> list[Token]:
    padding = [Token("<pad>", 0, 0)] * (case["text_len"] - len(case["tokens"]))
    return [Token(*token) for token in case["tokens"]] + padding


@pytest.mark.parametrize("case", TEXTS, ids=lambda c: c["name"])
def test_given_golden_tokens_when_located_then_spans_ids_and_ranges_are_the_golden_ones(case: dict[str, Any]) -> None:
    # The goldens say which string their spans were searched in; ours always are searched in the cleaned one.
    spans = find_spans(case[case["spans_found_on"]])
    assert spans == tuple(CaptionSpan(*span) for span in case["char_spans"])
    ids = token_shot_ids(spans, tokens_of(case))
    assert ids[: len(case["token_shot_ids"])] == case["token_shot_ids"]
    assert text_ranges(ids) == text_ranges_of(case["positions"])


@pytest.mark.parametrize("case", TEXTS, ids=lambda c: c["name"])
def test_given_golden_ranges_when_laid_out_then_each_shot_sees_the_golden_text(case: dict[str, Any]) -> None:
    text = text_ranges_of(case["positions"])
    for attention in case["attention"]:
        shots = tuple(range(attention["num_video_shots"]))
        if not attention["window"]:
            # There the weights' own inference silently drops the window; here it is an error.
            with pytest.raises(HoloCineError):
                ShotLayout(shot_of_latent_frame=shots, text=text)
            continue
        layout = ShotLayout(shot_of_latent_frame=shots, text=text)
        for shot, expected in zip(shots, attention["visible_text_ranges_per_video_shot"], strict=True):
            seen = {i for a, b in layout.visible_text(shot, case["text_len"]) for i in range(a, b)}
            assert seen == {i for a, b in expected for i in range(a, b)}


BY_NAME = {case["name"]: case for case in TEXTS}
INCLUDED = {"/t5/space_excluded": "/t5/space_in_token", "/word_space_out": "/word_space_in"}
TWINS = [
    (case, BY_NAME[name.replace(out, within)])
    for name, case in BY_NAME.items()
    for out, within in INCLUDED.items()
    if name.endswith(out) and case["raw_equals_cleaned"] and name.replace(out, within) in BY_NAME
]


@pytest.mark.parametrize(("excluded", "included"), TWINS, ids=[excluded["name"] for excluded, _ in TWINS])
def test_given_offsets_without_spaces_when_the_space_is_included_then_ids_equal_those_with_spaces(
    excluded: dict[str, Any], included: dict[str, Any]
) -> None:
    text = excluded["cleaned_prompt"]
    for case in (excluded, included):
        ids = token_shot_ids(find_spans(text), include_leading_space(text, tokens_of(case)))
        assert ids[: len(included["token_shot_ids"])] == included["token_shot_ids"], case["name"]


@pytest.mark.parametrize("case", [c for c in TEXTS if not c["raw_equals_cleaned"]], ids=lambda c: c["name"])
def test_given_an_unclean_prompt_when_located_then_every_caption_owns_exactly_its_words(case: dict[str, Any]) -> None:
    text = prompt_clean(case["raw_prompt"])
    assert text == case["cleaned_prompt"]
    tokens = include_leading_space(text, tokens_of(case))
    spans = find_spans(text)
    ids = token_shot_ids(spans, tokens)
    for token, shot in zip(tokens, ids, strict=True):
        inside = [span.shot for span in spans if token.end > token.start >= span.start and token.end <= span.end]
        assert not inside or inside == [shot], token


@pytest.mark.parametrize(
    ("global_caption", "captions", "param"),
    [
        ("A [shot cut] garden.", ["One.", "Two."], "prompt"),
        ("A garden.", ["One.", "Two [per shot caption]."], "shots[1].prompt"),
        ("A garden.", ["One.", "  "], "shots[1].prompt"),
        (" ", ["One."], "prompt"),
    ],
)
def test_given_a_caption_that_would_shift_the_shots_when_checked_then_it_is_refused_by_name(
    global_caption: str, captions: list[str], param: str
) -> None:
    with pytest.raises(PromptError) as refused:
        check_captions(global_caption, captions)
    assert refused.value.param == param


@pytest.mark.parametrize(
    "prompt",
    [
        "[global caption] Only a scene.",
        "[per shot caption] a [shot cut] b",
        "a [shot cut] b",
        "[global caption] x [shot cut] y [per shot caption] a",
        "[per shot caption] a [global caption] x",
        "[global caption] x [per shot caption] a [per shot caption] b",
    ],
)
def test_given_markers_that_make_no_sequence_when_planned_then_the_prompt_is_refused(prompt: str) -> None:
    with pytest.raises(PromptError):
        plan_prompt(prompt, num_frames=81)


def test_given_a_raw_prompt_without_cuts_when_planned_then_its_separators_give_even_shots() -> None:
    sequence = plan_prompt("[global caption] x [per shot caption] a [shot cut] b [shot cut] c", num_frames=81)
    assert sequence.cuts == (25, 53)
    assert plan_prompt("A plain prompt.", num_frames=81).shot_of_latent_frame == (0,) * 21


def test_given_shot_lengths_when_turned_into_cuts_then_only_latent_boundaries_are_taken() -> None:
    assert cuts_of_shot_lengths([17, 16, 16], num_frames=49) == (17, 33)
    with pytest.raises(ShotError, match="nearest is 16") as refused:
        cuts_of_shot_lengths([17, 17, 15], num_frames=49)
    assert refused.value.param == "shots[1].num_frames"
    with pytest.raises(ShotError, match="add up to 33"):
        cuts_of_shot_lengths([17, 16], num_frames=49)


def test_given_more_shots_than_fit_the_frames_when_planned_then_they_are_refused() -> None:
    with pytest.raises(ShotError, match="6 captions"):
        plan_captions("A garden.", [f"Shot {i}." for i in range(6)], num_frames=17)


def test_given_any_shots_in_any_frames_then_the_doors_accept_what_the_model_does() -> None:
    spec = catalog.get("holocine-14b")

    def is_made(num_frames: int, num_shots: int) -> bool:
        try:
            plan_captions("a harbour", ["a boat"] * num_shots, num_frames=num_frames)
        except ShotError:
            return False
        return True

    counts = [count for count in range(spec.frame_rule.min, spec.frame_rule.max + 1) if spec.frame_rule.admits(count)]
    asked = [(count, shots) for count in counts for shots in range(1, spec.limits.shots + 1)]
    accepted = [each for each in asked if can_be_cut(*each)]
    assert accepted == [each for each in asked if is_made(*each)]
    assert len(accepted) < len(asked)
