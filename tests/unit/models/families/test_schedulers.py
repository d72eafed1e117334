"""Noise levels of the schedulers that are made for a request."""

import diffusers
import pytest

from models.common.schedulers import flow_euler, shifted


@pytest.mark.parametrize(
    ("steps", "levels"), [(4, [1.0, 0.9375, 0.8333, 0.625, 0.0]), (2, [1.0, 0.8333, 0.0]), (1, [1.0, 0.0])]
)
def test_given_few_steps_when_euler_then_each_is_worth_one_and_the_last_ends_at_no_noise(
    steps: int, levels: list[float]
) -> None:
    unipc = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0, num_train_timesteps=1000
    )

    scheduler = flow_euler(unipc)
    scheduler.set_timesteps(steps)

    assert scheduler.sigmas.tolist() == pytest.approx(levels, abs=1e-4)
    assert scheduler.timesteps.tolist() == pytest.approx([1000 * level for level in levels[:-1]], abs=0.1)


def test_given_another_shift_than_the_published_one_then_levels_are_those_that_a_distilled_lora_was_made_for() -> None:
    published = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, num_train_timesteps=1000
    )

    scheduler = flow_euler(shifted(published, 5.0))
    scheduler.set_timesteps(4)

    assert scheduler.sigmas.tolist() == pytest.approx([1.0, 0.9375, 0.8333, 0.625, 0.0], abs=1e-4)
    assert published.config["flow_shift"] == 3.0
