"""The proof that characters are learned, and the bench of full-size training: their parts, on a small scale."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import catalog
from training import bench_lora, characters
from training.judge.character import look_for
from training.judge.verdict import read_clip
from training.pack import CHECKPOINTS
from training.world.character import COLOURS, Appearance, draw_character, random_appearances
from training.world.draw import draw_scenes
from training.world.palette import MOTIONS, SHAPES
from training.world.scene import Figure, Scene, random_scene


@pytest.mark.parametrize("size", [(128, 128), (96, 160)])
def test_given_the_drawn_character_when_looked_for_then_it_is_seen_in_every_motion_and_on_every_background(
    size: tuple[int, int],
) -> None:
    asked = random_appearances(22, MOTIONS, np.random.default_rng(1))

    seen = [look_for(clip) for clip in draw_character(asked, 17, *size, seed=3)]

    assert all(one.shown for one in seen)
    assert [one.background for one in seen] == [each.background for each in asked]
    named = [(one.motion, each.motion) for one, each in zip(seen, asked, strict=True) if each.motion != "spin"]
    assert all(read == wanted for read, wanted in named)


def test_given_the_world_without_the_character_when_looked_for_then_it_is_nowhere() -> None:
    rng = np.random.default_rng(2)
    scenes = [random_scene(rng, two_figures_share=0.5) for _ in range(24)]
    both = [
        Scene(
            figures=tuple(Figure(colour=colour, shape=shape, motion="still") for colour in COLOURS),
            background="blue",
            gradient=False,
        )
        for shape in SHAPES
    ]

    assert not any(look_for(clip).shown for clip in draw_scenes([*scenes, *both], 17, 128, 128, seed=4))


def test_given_noise_like_a_models_when_looked_for_then_the_character_is_still_seen() -> None:
    asked = [Appearance(motion=motion, background="green") for motion in ("right", "still", "bounce")]
    clips = draw_character(asked, 17, 128, 128, seed=5).astype(float)
    noisy = np.clip(clips + np.random.default_rng(0).normal(0, 8, clips.shape), 0, 255).astype(np.uint8)

    assert all(look_for(clip).shown for clip in noisy)
    assert all(read_clip(clip).background == "green" for clip in noisy)


def test_given_a_few_steps_when_trained_and_measured_then_both_experts_have_files_and_every_figure_is_a_share(
    tmp_path: Path,
) -> None:
    using = characters.settings(steps=2, rank=2, batch_size=1, clip_frames=5)

    files = characters.train(tmp_path, using, CHECKPOINTS / characters.MODEL, "cpu")
    figures = characters.measure(files, 1, CHECKPOINTS / characters.MODEL, "cpu")

    assert len(list((tmp_path / "pictures").iterdir())) == characters.PICTURES
    assert all(0 <= value <= 1 for value in vars(figures).values())
    # At scale 0 the base is what it was.
    assert figures.base_after == figures.base
    assert "without its trigger" in characters.table(figures, 1)


def test_given_a_small_network_when_benched_then_steps_are_timed_and_a_character_is_priced() -> None:
    spec = catalog.get("wan2.2-t2v-a14b")
    small = {
        "num_attention_heads": 2,
        "attention_head_dim": 12,
        "ffn_dim": 32,
        "num_layers": 2,
        "freq_dim": 32,
        "text_dim": 16,
    }
    case = replace(
        bench_lora.CASES[spec.id], config=small, latents=(16, 1, 8, 8), texts={"embeds": (4, 16)}, width=64, height=64
    )

    found = bench_lora.measure(spec, case, base="full", rank=2, batch_size=1, steps=4, device="cpu")
    step_s, cost_usd = bench_lora.predicted(spec, bench_lora.CASES[spec.id], batch_size=1, rank=16)

    assert found.step_s > 0
    assert step_s > 0
    assert cost_usd is not None
    assert cost_usd > 0
