"""How a training is run where the request does not say, and what is refused."""

import pytest

from jobs.errors import RequestError
from jobs.training import TrainingBody, settings_of
from models import catalog
from models.catalog.training import STANDARD_MOVES

TRAINED = [spec for spec in catalog.all_models() if spec.training is not None]


@pytest.mark.parametrize("spec", TRAINED, ids=lambda spec: spec.id)
def test_given_nothing_when_settled_then_the_catalogs_training_is_used(spec: catalog.ModelSpec) -> None:
    made = settings_of(TrainingBody(), spec, trigger="zxmaria", seed=7)

    assert spec.training is not None
    known = spec.training.model_dump()
    assert made.model_dump(include=set(known)) == known | {"camera_moves": dict(spec.training.camera_moves)}
    assert (made.alpha, made.size, made.sample_prompt, made.seed) == (made.rank, str(spec.default.size), "zxmaria", 7)


@pytest.mark.parametrize("spec", TRAINED, ids=lambda spec: spec.id)
def test_given_camera_moves_alone_when_settled_then_pictures_become_clips_that_the_vae_takes(
    spec: catalog.ModelSpec,
) -> None:
    made = settings_of(TrainingBody(camera_moves={"pan_left": "the camera pans left"}), spec, trigger="z", seed=0)

    assert made.camera_moves == {"pan_left": "the camera pans left"}
    assert made.clip_frames >= 9
    assert (made.clip_frames - 1) % spec.frame_rule.step == 0


@pytest.mark.parametrize("spec", TRAINED, ids=lambda spec: spec.id)
def test_given_standard_moves_when_settled_then_they_are_the_models_own_or_film_makers(spec: catalog.ModelSpec) -> None:
    made = settings_of(TrainingBody(camera_moves="standard"), spec, trigger="z", seed=0)

    assert spec.training is not None
    assert made.camera_moves == dict(spec.training.camera_moves or STANDARD_MOVES)
    assert made.clip_frames >= 9


def test_given_one_frame_when_settled_then_the_models_own_moves_are_left_out() -> None:
    made = settings_of(TrainingBody(clip_frames=1), catalog.get("wan-mini"), trigger="z", seed=0)

    assert made.camera_moves == {}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (TrainingBody(clip_frames=1, camera_moves={"zoom_in": "growing"}), "need clip_frames of 9"),
        (TrainingBody(clip_frames=1, camera_moves="standard"), "need clip_frames of 9"),
        (TrainingBody(clip_frames=7), "5 or 9"),
    ],
)
def test_given_clips_that_cannot_be_when_settled_then_the_field_and_what_would_be_right_are_named(
    asked: TrainingBody, says: str
) -> None:
    with pytest.raises(RequestError, match=says) as refused:
        settings_of(asked, catalog.get("hunyuan-video"), trigger="z", seed=0)

    assert refused.value.param == "training.clip_frames"


def test_given_prior_prompts_alone_when_settled_then_they_weigh() -> None:
    hunyuan = catalog.get("hunyuan-video")

    assert settings_of(TrainingBody(prior_prompts=["a man"]), hunyuan, trigger="z", seed=0).prior_weight == 1.0
    assert settings_of(TrainingBody(prior_prompts=[]), hunyuan, trigger="z", seed=0).prior_weight == 0.0
