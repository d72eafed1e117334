"""The judge against clips whose content is known, because they were drawn."""

from typing import Any

import numpy as np
import pytest
import torch

from training.judge.verdict import judge, judge_story, read_clip, read_clips
from training.world.draw import draw, draw_scenes, lay_out_stories, to_frames
from training.world.palette import COLOUR_NAMES, MOTIONS, SHAPES, SPINNING_SHAPES
from training.world.scene import Figure, Scene, Story, random_scene, random_story


def scene(
    colour: str = "red", shape: str = "square", motion: str = "right", background: str = "blue", gradient: bool = False
) -> Scene:
    figure = Figure(colour=colour, shape=shape, motion=motion)
    return Scene(figures=(figure,), background=background, gradient=gradient)


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("frames", [17, 33])
def test_given_a_drawn_motion_when_read_then_every_shape_that_shows_it_is_named_right(motion: Any, frames: int) -> None:
    shapes = SPINNING_SHAPES if motion == "spin" else SHAPES
    asked = [scene(shape=shape, motion=motion) for shape in shapes]
    clips = draw_scenes(asked, frames, 128, 128, seed=frames)
    assert [read_clip(clip).figures for clip in clips] == [wanted.figures for wanted in asked]


@pytest.mark.parametrize("background", COLOUR_NAMES)
@pytest.mark.parametrize("gradient", [False, True])
def test_given_every_colour_on_a_background_when_read_then_both_are_named_right(background: Any, gradient: Any) -> None:
    asked = [scene(colour=c, background=background, gradient=gradient) for c in COLOUR_NAMES if c != background]
    readings = [read_clip(clip) for clip in draw_scenes(asked, 17, 128, 128, seed=1)]
    assert {(r.background, r.gradient) for r in readings} == {(background, gradient)}
    assert [r.figures[0].colour for r in readings] == [wanted.figures[0].colour for wanted in asked]


@pytest.mark.parametrize("size", [(96, 160), (160, 96)])
def test_given_random_scenes_in_other_sizes_when_judged_then_all_are_right(size: Any) -> None:
    rng = np.random.default_rng(7)
    asked = [random_scene(rng, two_figures_share=0.5) for _ in range(12)]
    height, width = size
    clips = draw_scenes(asked, 33, height, width, seed=8)
    assert all(judge(s, read_clip(clip)).all_right for s, clip in zip(asked, clips, strict=True))


def test_given_clips_with_one_two_and_no_figures_when_read_at_once_then_each_is_read_as_alone() -> None:
    rng = np.random.default_rng(9)
    asked = [random_scene(rng, two_figures_share=0.5) for _ in range(6)]
    clips = [*draw_scenes(asked, 17, 128, 128, seed=5), np.full((17, 128, 128, 3), 230, np.uint8)]
    readings = read_clips(torch.from_numpy(np.stack(clips).astype(np.float32)) / 255)
    assert {len(reading.figures) for reading in readings} == {0, 1, 2}
    assert readings == [read_clip(clip) for clip in clips]


def test_given_sensor_noise_when_judged_then_the_verdicts_stand() -> None:
    rng = np.random.default_rng(3)
    asked = [random_scene(rng) for _ in range(12)]
    clips = draw_scenes(asked, 33, 128, 128, seed=4).astype(float)
    noisy = np.clip(clips + rng.normal(0, 5, clips.shape), 0, 255).astype(np.uint8)
    assert all(judge(s, read_clip(clip)).all_right for s, clip in zip(asked, noisy, strict=True))


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"colour": "green"}, {"colour"}),
        ({"background": "white"}, {"background"}),
        ({"shape": "star"}, {"shape"}),
        ({"motion": "left"}, {"motion"}),
    ],
)
def test_given_one_attribute_drawn_otherwise_when_judged_then_that_attribute_alone_fails(
    change: Any, wrong: Any
) -> None:
    asked = scene()
    drawn = scene(**change)
    verdict = judge(asked, read_clip(draw_scenes([drawn], 33, 128, 128, seed=2)[0]))
    failed = {name for name in ("colour", "background", "shape", "motion") if not getattr(verdict, name)}
    assert failed == wrong


def test_given_a_second_shape_nobody_asked_for_when_judged_then_it_is_not_all_right() -> None:
    asked = scene()
    extra = Figure(colour="green", shape="star", motion="still")
    drawn = Scene(figures=(*asked.figures, extra), background=asked.background, gradient=False)
    assert not judge(asked, read_clip(draw_scenes([drawn], 17, 128, 128, seed=2)[0])).all_right


def test_given_an_empty_background_when_read_then_no_figure_is_seen() -> None:
    reading = read_clip(np.full((17, 128, 128, 3), (41, 89, 224), dtype=np.uint8))
    assert (reading.background, reading.figures) == ("blue", ())


def test_given_frames_of_another_type_when_read_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        read_clip(np.zeros((17, 128, 128, 3), dtype=np.float32))


def _story_frames(story: Story, starts: list[int], frames: int) -> Any:
    clips = lay_out_stories([story], starts, frames, 128, 128, np.random.default_rng(5))
    return to_frames(draw(clips, 128, 128)[0])[0]


def test_given_a_drawn_story_when_judged_then_every_shot_is_right_and_the_character_the_same() -> None:
    rng = np.random.default_rng(11)
    for shots, starts, frames in ((2, [0, 25], 49), (4, [0, 21, 41, 61], 81)):
        story = random_story(rng, shots)
        verdict = judge_story(story, _story_frames(story, starts, frames), starts)
        assert verdict.same_character
        assert all(shot.all_right for shot in verdict.shots)


def test_given_a_story_that_changes_its_character_when_judged_then_the_character_is_not_the_same() -> None:
    story = Story(shots=(scene(), scene(motion="up")))
    other = Story(shots=(scene(), scene(colour="green", motion="up")))
    shots = draw_scenes([shot.shots[0] for shot in (story, Story(shots=other.shots[1:]))], 25, 128, 128, seed=6)
    verdict = judge_story(story, np.concatenate([shots[0], shots[1][:24]]), [0, 25])
    assert not verdict.same_character
    assert verdict.shots[0].all_right
