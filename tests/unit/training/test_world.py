"""The drawing code: it is the ground truth, so it is checked by arithmetic and not by the judge."""

import numpy as np
import torch

from training.world.draw import draw, lay_out, lay_out_stories
from training.world.palette import COLOURS
from training.world.scene import Figure, Scene, random_scene, random_story


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
