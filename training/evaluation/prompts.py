"""Held-out prompts: scenes and stories with their captions, from seeds that no trainer uses."""

from dataclasses import dataclass

import numpy as np

from training.captions.compose import Caption, Language, StoryCaption, scene_caption, story_caption
from training.world.scene import Scene, Story, random_scene, random_story

HELD_OUT_SEED = 987_654_321


@dataclass(frozen=True, kw_only=True)
class ScenePrompt:
    """A scene and a caption that says all of it."""

    scene: Scene
    caption: Caption


@dataclass(frozen=True, kw_only=True)
class StoryPrompt:
    """A story and its structured caption."""

    story: Story
    caption: StoryCaption


def _language(index: int) -> Language:
    return "en" if index % 2 == 0 else "pt"


def scene_prompts(count: int) -> list[ScenePrompt]:
    """`count` held-out scenes, every other one in Portuguese; one in five has two figures."""
    rng = np.random.default_rng([HELD_OUT_SEED, 1])
    prompts = []
    for index in range(count):
        scene = random_scene(rng)
        prompts.append(ScenePrompt(scene=scene, caption=scene_caption(scene, rng, _language(index), complete=True)))
    return prompts


def story_prompts(count: int, shots: int) -> list[StoryPrompt]:
    """`count` held-out stories of `shots` shots, every other one in Portuguese."""
    rng = np.random.default_rng([HELD_OUT_SEED, 2, shots])
    prompts = []
    for index in range(count):
        story = random_story(rng, shots)
        prompts.append(StoryPrompt(story=story, caption=story_caption(story, rng, _language(index))))
    return prompts
