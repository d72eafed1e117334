"""Buckets, batch order, noise and rates: the parts that are functions of values."""

import math

import pytest
import torch

from models.lora_training.buckets import bucket_of
from models.lora_training.noise import FlowMatching, VPrediction
from models.lora_training.optimiser import rate_at
from models.lora_training.order import BatchOrder


@pytest.mark.parametrize(("width", "height"), [(4000, 3000), (300, 400), (512, 512), (1920, 1080), (5000, 100)])
def test_given_an_image_when_bucketed_then_its_shape_and_the_number_of_pixels_are_kept(width: int, height: int) -> None:
    wide, high = bucket_of(width, height, pixels=544 * 960, multiple_of=16)
    assert wide % 16 == 0
    assert high % 16 == 0
    assert abs(wide * high / (544 * 960) - 1) < 0.05
    shape = min(max(width / height, 0.5), 2.0)
    assert abs(math.log2((wide / high) / shape)) < 1 / 8


def test_given_neighbouring_shapes_when_bucketed_then_they_share_a_batch() -> None:
    sizes = {bucket_of(width, 1000, pixels=256 * 256, multiple_of=16) for width in (990, 1000, 1012)}
    assert len(sizes) == 1


def test_given_two_buckets_when_ordered_then_an_epoch_shows_each_example_once_and_no_batch_mixes() -> None:
    buckets = [(64, 64)] * 5 + [(96, 64)] * 4
    order = BatchOrder(buckets, batch_size=2, rng=torch.Generator().manual_seed(1))
    epoch = [order.next() for _ in range(5)]
    assert sorted(index for batch in epoch for index in batch) == list(range(9))
    assert all(len({buckets[index] for index in batch}) == 1 for batch in epoch)
    assert order.waiting == []


def test_given_experts_when_noised_then_each_sees_its_side_of_the_boundary_and_both_all_of_it() -> None:
    place = torch.linspace(0, 1, 11)
    high = FlowMatching(shift=3.0, low=0.875).sigma(place)
    low = FlowMatching(shift=3.0, high=0.875).sigma(place)
    assert torch.allclose(torch.stack([high[0], high[-1], low[0], low[-1]]), torch.tensor([0.875, 1.0, 0.0, 0.875]))
    assert bool((high.diff() > 0).all())


def test_given_flow_matching_when_the_target_is_followed_then_the_latents_come_back() -> None:
    latents, noise = torch.randn(3, 4, 1, 2, 2), torch.randn(3, 4, 1, 2, 2)
    noised = FlowMatching(shift=5.0).mix(latents, noise, torch.tensor([0.1, 0.5, 0.9]))
    level = (noised.timestep / 1000).view(-1, 1, 1, 1, 1)
    assert torch.allclose(noised.latents - level * noised.target, latents, atol=1e-5)


def test_given_v_prediction_when_the_target_is_followed_then_the_latents_come_back() -> None:
    alphas = torch.linspace(0.999, 0.001, 1000)
    latents, noise = torch.randn(2, 1, 4, 2, 2), torch.randn(2, 1, 4, 2, 2)
    noised = VPrediction(alphas_cumprod=alphas).mix(latents, noise, torch.tensor([0.2, 1.0]))
    alpha = alphas[noised.timestep].view(-1, 1, 1, 1, 1)
    assert torch.allclose(alpha.sqrt() * noised.latents - (1 - alpha).sqrt() * noised.target, latents, atol=1e-5)


def test_given_a_run_then_the_rate_rises_and_falls_to_a_tenth() -> None:
    rates = [rate_at(step, 100) for step in range(100)]
    assert rates[0] < rates[4] == max(rates) == 1.0
    assert rates[99] == pytest.approx(0.1, abs=0.01)
