"""The catalog as its users meet it: models by id, checks that never round, licences."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import catalog
from models.catalog import ModelSpec, Size, SpecViolation

MODELS = catalog.all_models()
IDS = [spec.id for spec in MODELS]


def violation(check: Callable[[], object]) -> SpecViolation | None:
    """What the check refused with, or None where it accepted."""
    try:
        check()
    except SpecViolation as refused:
        return refused
    return None


every_model = pytest.mark.parametrize("spec", MODELS, ids=IDS)


def test_given_the_brief_when_listing_then_every_model_is_there() -> None:
    assert set(IDS) >= {
        "wan-mini",
        "wan-mini-i2v",
        "holocine-mini",
        "holocine-mini-sparse",
        "wan2.2-t2v-a14b",
        "wan2.2-i2v-a14b",
        "wan2.2-ti2v-5b",
        "hunyuan-video",
        "hunyuan-video-i2v",
        "holocine-14b",
        "holocine-14b-sparse",
        "cogvideox-5b",
        "cogvideox-5b-i2v",
        "mochi-1",
        "ltx-video",
    }


def test_given_an_unknown_id_when_getting_then_the_error_lists_what_there_is() -> None:
    with pytest.raises(catalog.UnknownModel, match=r"sora.*wan-mini") as caught:
        catalog.get("sora")
    assert caught.value.model_id == "sora"


@every_model
def test_given_a_model_when_using_its_defaults_then_its_own_checks_accept_them(spec: ModelSpec) -> None:
    default = spec.default
    assert catalog.check_size(spec, default.size) == default.size
    assert catalog.check_frames(spec, default.num_frames) == default.num_frames
    assert catalog.check_steps(spec, default.num_inference_steps) == default.num_inference_steps
    assert catalog.check_guidance_scale(spec, default.guidance_scale) == default.guidance_scale
    seconds = float(catalog.seconds_of(default.num_frames, spec.fps))
    assert catalog.frames_for_seconds(spec, seconds) == default.num_frames


@every_model
def test_given_a_model_when_reading_its_weights_then_a_pin_is_a_hash_or_the_entry_says_why_not(spec: ModelSpec) -> None:
    for source in spec.weights.sources:
        assert (len(source.revision) == 40) if source.revision_pinned else source.revision_note
        assert not [pattern for pattern in source.files if pattern.endswith((".bin", ".pth", ".pt", ".ckpt"))]


@given(st.sampled_from(MODELS), st.integers(-50, 400))
def test_given_any_frame_count_when_refused_then_the_nearest_named_is_accepted_and_no_valid_one_is_nearer(
    spec: ModelSpec, num_frames: int
) -> None:
    refused = violation(lambda: catalog.check_frames(spec, num_frames))
    assert (refused is None) == spec.frame_rule.admits(num_frames)
    if refused is not None:
        nearest = int(refused.nearest or "")
        assert refused.param == "num_frames"
        assert str(nearest) in refused.message
        distance = abs(nearest - num_frames)
        assert catalog.check_frames(spec, nearest) == nearest
        assert not [n for n in range(num_frames - distance + 1, num_frames + distance) if spec.frame_rule.admits(n)]


@given(st.sampled_from(MODELS), st.integers(1, 5000), st.integers(1, 5000))
def test_given_any_size_when_refused_then_the_nearest_named_is_accepted(
    spec: ModelSpec, width: int, height: int
) -> None:
    asked = Size(width=width, height=height)
    refused = violation(lambda: catalog.check_size(spec, asked))
    if refused is not None:
        nearest = Size.parse(refused.nearest or "")
        assert refused.param == "size"
        assert catalog.check_size(spec, nearest) == nearest


@pytest.mark.parametrize(
    ("seconds", "frames"), [(1, 17), (2, 33), (5, 81)], ids=["one second", "two seconds", "five seconds"]
)
def test_given_whole_seconds_at_16_fps_when_counting_frames_then_the_first_frame_is_extra(
    seconds: float, frames: int
) -> None:
    assert catalog.frames_for_seconds(catalog.get("wan2.2-t2v-a14b"), seconds) == frames


@given(st.sampled_from(MODELS), st.floats(0.01, 30, allow_nan=False))
def test_given_any_duration_when_refused_then_the_nearest_named_is_accepted(spec: ModelSpec, seconds: float) -> None:
    refused = violation(lambda: catalog.frames_for_seconds(spec, seconds))
    if refused is not None:
        assert refused.param == "seconds"
        seconds = float(refused.nearest or "")
    frames = catalog.frames_for_seconds(spec, seconds)
    assert frames == pytest.approx(seconds * spec.fps + 1)
    assert spec.frame_rule.admits(frames)


def test_given_a_shape_when_refused_then_the_nearest_size_keeps_the_shape() -> None:
    with pytest.raises(SpecViolation, match="nearest is 1280x720"):
        catalog.check_size(catalog.get("wan2.2-t2v-a14b"), Size.parse("1920x1080"))


@pytest.mark.parametrize("text", ["", "1280", "1280X720", "0x720", "-1x5", "1280x720x3", "١٢x٣", "1280 x 720"])
def test_given_text_that_is_no_size_when_parsing_then_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="WIDTHxHEIGHT"):
        Size.parse(text)


@pytest.mark.parametrize(
    ("check", "param"),
    [
        (lambda spec: catalog.check_steps(spec, 0), "num_inference_steps"),
        (lambda spec: catalog.check_steps(spec, 10_000), "num_inference_steps"),
        (lambda spec: catalog.check_guidance_scale(spec, float("nan")), "guidance_scale"),
        (lambda spec: catalog.check_guidance_scale(spec, float("inf")), "guidance_scale"),
        (lambda spec: catalog.check_guidance_scale(spec, 0.0), "guidance_scale"),
        (lambda spec: catalog.check_fps(spec, 0), "fps"),
        (lambda spec: catalog.check_shots(spec, 10_000), "shots"),
        (lambda spec: catalog.check_prompt(spec, " \n"), "prompt"),
        (lambda spec: catalog.check_prompt(spec, "a" * 100_000), "prompt"),
        (lambda spec: catalog.check_prompt_length(spec, "a" * 100_000), "negative_prompt"),
    ],
)
@every_model
def test_given_a_value_out_of_range_when_checked_then_the_violation_names_the_parameter(
    spec: ModelSpec, check: object, param: str
) -> None:
    assert callable(check)
    with pytest.raises(SpecViolation) as caught:
        check(spec)
    assert caught.value.param == param
    assert caught.value.message


def test_given_an_image_when_the_model_takes_none_or_needs_one_then_it_is_refused() -> None:
    with pytest.raises(SpecViolation, match="text only"):
        catalog.check_image(catalog.get("mochi-1"), has_image=True)
    with pytest.raises(SpecViolation, match="needs an input image"):
        catalog.check_image(catalog.get("wan2.2-i2v-a14b"), has_image=False)
    catalog.check_image(catalog.get("wan2.2-ti2v-5b"), has_image=False)
    catalog.check_image(catalog.get("wan2.2-ti2v-5b"), has_image=True)


def test_given_a_non_commercial_model_when_not_acknowledged_then_it_is_refused_and_says_so() -> None:
    spec = catalog.get("holocine-14b")
    refusal = catalog.licence_refusal(spec, acknowledged=())
    assert refusal is not None
    assert refusal.code == "licence_not_acknowledged"
    assert "CC BY-NC-SA 4.0" in refusal.reason
    assert catalog.licence_refusal(spec, acknowledged={"holocine-14b"}) is None
    assert catalog.licence_refusal(spec, acknowledged={"holocine-14b-sparse"}) is not None


def test_given_a_licence_that_allows_commerce_when_asked_then_nothing_is_refused() -> None:
    assert catalog.licence_refusal(catalog.get("wan2.2-t2v-a14b"), acknowledged=()) is None
    hunyuan = catalog.get("hunyuan-video")
    assert catalog.licence_refusal(hunyuan, acknowledged=()) is None
    assert "South Korea" in hunyuan.licence.excluded_territories


def test_given_the_catalog_when_imported_then_nothing_heavy_comes_with_it() -> None:
    heavy = ("torch", "numpy", "diffusers", "transformers", "boto3", "yaml", "PIL")
    code = f"import sys, models.catalog as c; c.all_models(); print([m for m in {heavy!r} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_given_a_json_entry_when_registered_then_it_is_a_model_like_the_others(tmp_path: Path) -> None:
    entry = catalog.get("wan-mini").model_dump(mode="json") | {"id": "house-model", "family_module": "house.model"}
    path = tmp_path / "house.json"
    path.write_text(json.dumps(entry))
    spec = catalog.register_file(path)
    try:
        assert catalog.get("house-model") is spec
        assert spec.module == "house.model"
        with pytest.raises(catalog.DuplicateModel):
            catalog.register(spec.variant(title="Another"))
    finally:
        catalog.unregister("house-model")
    with pytest.raises(catalog.UnknownModel):
        catalog.get("house-model")


def test_given_a_module_with_entries_when_registered_then_its_models_are_in_the_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "studio_entries.py").write_text(
        "from models import catalog\nMODELS = (catalog.get('wan-mini').variant(id='house-mini', family='house'),)\n"
    )
    (tmp_path / "house_nothing.py").write_text("MODELS = ['wan-mini']\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(catalog.CatalogError, match="MODELS"):
        catalog.register_module("house_nothing")
    (spec,) = catalog.register_module("studio_entries")
    try:
        assert catalog.get("house-mini").module == "models.house"
        assert spec in catalog.all_models()
    finally:
        catalog.unregister("house-mini")


@pytest.mark.parametrize(
    "change",
    [
        {"default": catalog.get("wan-mini").default.model_copy(update={"num_frames": 32})},
        {"sizes": (Size(width=64, height=64),)},
        {"tasks": frozenset({"multi-shot"})},
        {"id": "Not An Id"},
    ],
    ids=["default frames off the grid", "default size not allowed", "multi-shot not native", "bad id"],
)
def test_given_an_entry_that_contradicts_itself_when_made_then_it_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        catalog.get("wan-mini").variant(**change)


@every_model
def test_given_a_model_that_is_continued_then_its_sibling_takes_an_image_of_the_same_size(spec: ModelSpec) -> None:
    sibling = catalog.continuing_model(spec)

    if sibling is None:
        assert "image-to-video" not in spec.tasks
        return
    assert "image-to-video" in sibling.tasks
    assert sibling.family == spec.family
    assert catalog.check_size(sibling, spec.default.size) == spec.default.size


def test_given_the_small_model_then_its_image_sibling_continues_it() -> None:
    found = catalog.continuing_model(catalog.get("wan-mini"))

    assert found is not None
    assert found.id == "wan-mini-i2v"


@pytest.mark.parametrize("spec", [spec for spec in catalog.all_models() if spec.family in ("wan", "holocine")])
def test_given_wan_s_own_models_then_the_published_negative_prompt_is_the_default(spec: ModelSpec) -> None:
    assert spec.default.negative_prompt.startswith("色调艳丽" if not spec.embedded else "")
    assert bool(spec.default.negative_prompt) != spec.embedded
    assert catalog.check_prompt_length(spec, spec.default.negative_prompt, param="negative_prompt") or spec.embedded
