"""What the small model is trained with is what it is run with: ranges of captions, window, sparse attention."""

from typing import Any

import numpy as np
import pytest
import torch

from models.holocine.layout import ShotLayout
from models.holocine.locate import locate_captions
from models.holocine.prompt import TextRanges, structured_prompt
from models.holocine.shots import latent_shot_indices
from models.holocine.transformer import HoloCineTransformer3DModel
from training.captions.compose import CUT_MARKER, SHOTS_MARKER, story_caption
from training.captions.tokenizer import build_tokenizer
from training.networks import bias
from training.networks.transformer import TransformerSize, build_transformer, predict_velocity
from training.world.scene import random_story

FRAMES, SIDE, TEXT_LENGTH = 25, 4, 256
TOKENS_PER_FRAME = (SIDE // 2) ** 2


def captions(count: int) -> list[Any]:
    rng = np.random.default_rng(20)
    return [story_caption(random_story(rng, 2 + i % 3), rng) for i in range(count)]


def trained_ranges(tokenizer: Any, prompt: str) -> tuple[list[int], TextRanges]:
    shots_marker, cut_marker = tokenizer.convert_tokens_to_ids([SHOTS_MARKER, CUT_MARKER])
    ids: list[int] = tokenizer(prompt).input_ids
    found = bias.prompt_ranges(ids, shots_marker, cut_marker)
    return ids, TextRanges(global_caption=found.whole, shots=found.shots)


def test_given_training_captions_when_located_by_offsets_then_ranges_are_those_trained_with() -> None:
    tokenizer = build_tokenizer()
    for caption in captions(60):
        assert structured_prompt(caption.global_caption, caption.shot_captions) == caption.prompt
        _, trained = trained_ranges(tokenizer, caption.prompt)
        assert locate_captions(tokenizer, caption.prompt, max_tokens=TEXT_LENGTH) == trained


@pytest.mark.parametrize("sparse", [False, True], ids=["full", "sparse"])
def test_given_a_story_when_run_shot_by_shot_then_the_velocity_is_that_of_the_biases_trained_with(sparse: bool) -> None:
    torch.manual_seed(4)
    trained = build_transformer(TransformerSize(heads=2, head_dim=24, ffn_dim=64, layers=2))
    torch.nn.init.normal_(trained.proj_out.weight, std=0.2)  # training starts near zero, where nothing would show
    model: HoloCineTransformer3DModel = HoloCineTransformer3DModel.from_config(trained.config)
    model.load_state_dict(trained.state_dict())
    model.eval().enable_shot_attention(sparse=sparse)

    ids, ranges = trained_ranges(build_tokenizer(), captions(2)[1].prompt)
    cuts = (9, 17)[: len(ranges.shots) - 1]
    latents = torch.randn(1, 16, (FRAMES - 1) // 4 + 1, SIDE, SIDE)
    text = torch.zeros(1, TEXT_LENGTH, trained.config.text_dim)
    text[:, : len(ids)] = torch.randn(1, len(ids), trained.config.text_dim)
    layout = ShotLayout(shot_of_latent_frame=latent_shot_indices(cuts, FRAMES), text=ranges)
    with torch.no_grad(), model.use_shots(layout):
        run = model(latents, torch.tensor([700.0]), text).sample

    positions = len(ids) + 1  # one padding token stands for all
    shots = bias.shot_of_latent_frame([0, *cuts], FRAMES)
    visible = bias.window_visible(bias.PromptRanges(whole=(0, ranges.shots[0][0]), shots=ranges.shots), positions)
    padding = bias.padding_bias(torch.tensor([len(ids)]), positions, TEXT_LENGTH)
    window = bias.window_bias(padding, visible[None], shots, TOKENS_PER_FRAME)
    between = bias.sparse_bias(shots, TOKENS_PER_FRAME) if sparse else None
    with torch.no_grad():
        as_trained = predict_velocity(trained, latents, torch.tensor([0.7]), text[:, :positions], window, between)
    torch.testing.assert_close(run, as_trained, rtol=0, atol=1e-4)
