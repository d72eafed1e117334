"""The drawing code: it is the ground truth, so it is checked by arithmetic and not by the judge."""

import numpy as np
import pytest
import torch

from training.world.draw import draw, lay_out, lay_out_stories
from training.world.palette import COLOURS
from training.world.scene import TRAINED_MOTIONS, Figure, Scene, random_scene, random_story


def test_given_a_circle_when_drawn_then_its_area_and_colours_are_those_of_geometry() -> None:
    scene = Scene(figures=(Figure(colour="red", shape="circle", motion="still"),), background="white", gradient=False)
    clips = lay_out([scene], 1, 128, 128, np.random.default_rng(0))
    video, covered = draw(clips, 128, 128)
    radius = float(clips.motion[0, 0, 0, 2])
    assert abs(float(covered.sum()) / (np.pi * radius**2) - 1) < 0.01
    x, y = (int(value) for value in clips.motion[0, 0, 0, :2])
    assert torch.allclose((video[0, :, 0, y, x] + 1) / 2, torch.tensor(COLOURS["red"]), atol=1e-5)
    assert torch.allclose((video[0, :, 0, 0, 0] + 1) / 2, torch.tensor(COLOURS["white"]), atol=1e-5)


def test_given_random_scenes_when_drawn_then_no_figure_touches_the_border_or_another_figure() -> None:
    rng = np.random.default_rng(1)
    scenes = [random_scene(rng, two_figures_share=0.6) for _ in range(40)]
    clips = lay_out(scenes, 33, 96, 160, rng)
    _, covered = draw(clips, 96, 160)
    border = torch.ones(96, 160, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    assert float(covered[..., border].max()) == 0
    distance = (clips.motion[:, 0, :, :2] - clips.motion[:, 1, :, :2]).norm(dim=-1)
    two = torch.tensor([len(scene.figures) == 2 for scene in scenes])
    reach = clips.motion[:, 0, :, 2] + clips.motion[:, 1, :, 2]
    assert bool((distance[two] > 0.7 * reach[two]).all())


@pytest.mark.parametrize(("height", "width", "axis"), [(128, 128, 0), (96, 160, 0), (160, 96, 1)])
def test_given_two_figures_when_laid_out_then_the_first_is_at_the_left_or_in_a_tall_frame_above(
    height: int, width: int, axis: int
) -> None:
    rng = np.random.default_rng(8)
    scenes = [random_scene(rng, two_figures_share=1) for _ in range(40)]
    centre = lay_out(scenes, 33, height, width, rng).motion[..., axis]
    middle = (width, height)[axis] / 2
    assert bool((centre[:, 0] < middle).all())
    assert bool((centre[:, 1] > middle).all())


def test_given_a_way_round_that_no_caption_names_then_it_is_clockwise() -> None:
    rng = np.random.default_rng(9)
    figures = [Figure(colour="red", shape="square", motion=motion) for motion in ("circle", "spin") for _ in range(20)]
    scenes = [Scene(figures=(figure,), background="white", gradient=False) for figure in figures]
    motion = lay_out(scenes, 33, 128, 128, rng).motion[:, 0].double()
    steps = motion[:20, 1:, :2] - motion[:20, :-1, :2]
    turn = steps[:, :-1, 0] * steps[:, 1:, 1] - steps[:, :-1, 1] * steps[:, 1:, 0]
    assert bool((turn > 0).all())  # y counts downwards
    assert bool((motion[20:, 1:, 3] > motion[20:, :-1, 3]).all())


def test_given_a_diagonal_then_it_goes_down_to_the_right() -> None:
    figure = Figure(colour="red", shape="square", motion="diagonal")
    scenes = [Scene(figures=(figure,), background="white", gradient=False)] * 20
    centre = lay_out(scenes, 33, 128, 128, np.random.default_rng(9)).motion[:, 0, :, :2]
    assert bool((centre[:, 1:] > centre[:, :-1]).all())  # y counts downwards


def test_given_the_same_seed_when_laid_out_twice_then_the_clips_are_equal() -> None:
    scenes = [random_scene(np.random.default_rng(2)) for _ in range(4)]
    first = lay_out(scenes, 17, 128, 128, np.random.default_rng(3))
    second = lay_out(scenes, 17, 128, 128, np.random.default_rng(3))
    assert torch.equal(first.motion, second.motion)


def test_given_a_story_when_laid_out_then_the_character_keeps_its_size_and_cuts_at_the_starts() -> None:
    story = random_story(np.random.default_rng(4), 3)
    clips = lay_out_stories([story], [0, 17, 33], 49, 128, 128, np.random.default_rng(5))
    backgrounds = clips.background[0, :, 0]
    for start, shot in zip((0, 17, 33), story.shots, strict=True):
        expected = torch.tensor(COLOURS[shot.background])
        assert torch.allclose(backgrounds[start], expected)
    moving = [s for s, shot in zip((0, 17, 33), story.shots, strict=True) if shot.figures[0].motion in ("left", "up")]
    assert len({round(float(clips.motion[0, 0, s, 2]), 3) for s in moving}) <= 1


def test_given_a_spinning_star_when_laid_out_then_four_frames_turn_it_by_less_than_half_of_what_looks_the_same() -> (
    None
):
    spinning = Scene(figures=(Figure(colour="red", shape="star", motion="spin"),), background="white", gradient=False)
    for frames in (17, 33):
        angle = lay_out([spinning] * 20, frames, 128, 128, np.random.default_rng(6)).motion[:, 0, :, 3]
        turned = (angle[:, -1] - angle[:, 0]).abs()
        assert float(turned.min()) >= np.deg2rad(72)
        assert float(turned.max()) * 4 / (frames - 1) < np.deg2rad(36)


def test_given_motions_named_twice_when_scenes_are_drawn_then_these_come_more_often() -> None:
    rng = np.random.default_rng(7)
    drawn = [random_scene(rng, motions=TRAINED_MOTIONS).figures[0].motion for _ in range(2000)]
    assert drawn.count("spin") > 1.5 * drawn.count("still") > 0
