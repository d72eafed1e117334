"""The training passes compute what the stock classes compute at inference."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from models.holocine.layout import ShotLayout
from models.holocine.locate import locate_captions
from models.holocine.transformer import HoloCineTransformer3DModel
from training.captions.compose import CUT_MARKER, SHOTS_MARKER
from training.captions.tokenizer import build_tokenizer
from training.networks.autoencoder import build_autoencoder, decode_clip, encode_clip
from training.networks.bias import (
    padding_bias,
    prompt_ranges,
    shot_of_latent_frame,
    sparse_bias,
    window_bias,
    window_visible,
)
from training.networks.depth import depth_of, with_depth
from training.networks.transformer import TransformerSize, build_transformer, predict_velocity

SIZE = TransformerSize(heads=2, head_dim=24, ffn_dim=64, layers=2)
PROMPT = (
    "[global caption] [character1] is a red circle. This scene contains 2 shots. [per shot caption] "
    "[character1] moves right on a blue background. [shot cut] [character1] bounces on a white background."
)


@pytest.fixture
def denoiser() -> Any:
    torch.manual_seed(0)
    model = build_transformer(SIZE).eval()
    torch.nn.init.normal_(model.proj_out.weight, std=0.1)
    return model


@torch.no_grad()
def test_given_a_denoiser_when_made_deeper_then_it_computes_the_same(denoiser: Any) -> None:
    deeper = build_transformer(replace(SIZE, layers=5)).eval()
    deeper.load_state_dict(with_depth(denoiser.state_dict(), 5))
    given = {
        "hidden_states": torch.randn(1, 16, 2, 4, 4),
        "timestep": torch.tensor([500]),
        "encoder_hidden_states": torch.randn(1, 6, 128),
    }
    assert torch.equal(deeper(**given)[0], denoiser(**given)[0])


def test_given_a_denoiser_when_made_shallower_then_its_first_and_last_blocks_are_kept(denoiser: Any) -> None:
    state = with_depth(denoiser.state_dict(), 5)
    three = with_depth(state, 3)
    assert depth_of(three) == 3
    for place, source in enumerate((0, 2, 4)):
        name = "attn1.to_q.weight"
        assert torch.equal(three[f"blocks.{place}.{name}"], state[f"blocks.{source}.{name}"])
    assert torch.equal(three["proj_out.weight"], state["proj_out.weight"])


@torch.no_grad()
def test_given_a_clip_when_coded_whole_then_it_equals_the_stock_chunked_coding() -> None:
    torch.manual_seed(0)
    vae = build_autoencoder().eval()
    for parameter in vae.parameters():
        parameter += 0.02 * torch.randn_like(parameter)
    video = torch.rand(1, 3, 13, 32, 48) * 2 - 1
    mean, log_variance = encode_clip(vae, video)
    stock = vae.encode(video).latent_dist
    assert torch.allclose(mean, stock.mean, atol=1e-5)
    assert torch.allclose(log_variance, stock.logvar, atol=1e-5)
    assert torch.allclose(decode_clip(vae, mean).clamp(-1, 1), vae.decode(mean).sample, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("padded_length", [64, 512])
def test_given_padded_text_when_one_pad_stands_for_all_then_it_equals_the_stock_forward(
    denoiser: Any, padded_length: int
) -> None:
    latents, sigma = torch.randn(2, 16, 3, 4, 6), torch.tensor([0.3, 0.9])
    text = torch.zeros(2, padded_length, 128)
    lengths = torch.tensor([5, 9])
    for row, length in enumerate(lengths):
        text[row, :length] = torch.randn(int(length), 128)
    stock = denoiser(latents, sigma * 1000, text, return_dict=False)[0]
    bias = padding_bias(lengths, 16, padded_length)[:, None, None]
    assert torch.allclose(predict_velocity(denoiser, latents, sigma, text[:, :16], bias), stock, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("sparse", [False, True])
def test_given_a_two_shot_prompt_when_trained_on_then_attention_equals_that_of_the_holocine_family(
    denoiser: Any, sparse: bool
) -> None:
    tokenizer = build_tokenizer()
    ids = tokenizer(PROMPT).input_ids
    markers = [tokenizer.convert_tokens_to_ids(marker) for marker in (SHOTS_MARKER, CUT_MARKER)]
    text = torch.zeros(1, 256, 128)
    text[:, : len(ids)] = torch.randn(1, len(ids), 128)
    latents, sigma = torch.randn(1, 16, 5, 4, 4), torch.tensor([0.7])
    shot_of_frame = shot_of_latent_frame((0, 9), 17)

    family = HoloCineTransformer3DModel.from_config(denoiser.config)
    family.load_state_dict(denoiser.state_dict())
    family.eval().enable_shot_attention(sparse=sparse)
    layout = ShotLayout(
        shot_of_latent_frame=tuple(shot_of_frame.tolist()), text=locate_captions(tokenizer, PROMPT, max_tokens=256)
    )
    with family.use_shots(layout):
        expected = family(latents, sigma * 1000, text, return_dict=False)[0]

    positions = 48
    visible = window_visible(prompt_ranges(ids, *markers), positions)[None]
    bias = window_bias(padding_bias(torch.tensor([len(ids)]), positions, 256), visible, shot_of_frame, 4)
    own = sparse_bias(shot_of_frame, 4) if sparse else None
    trained = predict_velocity(denoiser, latents, sigma, text[:, :positions], bias, own)
    assert torch.allclose(trained, expected, atol=1e-4)
