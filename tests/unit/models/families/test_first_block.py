"""The stock pipelines hand both guidance passes the same latents: the first block attends once a step, to the bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers.models.transformers.transformer_wan import WanAttention

from models.common.residency import Residency
from models.speed.first_block import Halves
from tests.unit.models.families import cases
from tests.unit.models.families.test_residency import of_family

GUIDED = ("wan-t2v-two-experts", "wan-i2v-two-experts", "wan-ti2v-text", "wan-ti2v-image")
STOCK = Residency(keep_text_encoder=True)
SHARED = Residency(keep_text_encoder=True, tier="exact")


@pytest.mark.parametrize("name", GUIDED)
def test_given_guidance_then_the_first_block_attends_once_a_step(
    name: str, weights_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    asked = cases.request(case, folder)
    reference, stock_calls = _counted(of_family(case, folder, STOCK), asked, monkeypatch)

    frames, calls = _counted(of_family(case, folder, SHARED), asked, monkeypatch)

    np.testing.assert_array_equal(frames, reference)
    assert calls == stock_calls - asked.num_inference_steps


def test_given_no_guidance_then_nothing_is_kept_when_the_video_is_done(weights_of: Callable[[str], Path]) -> None:
    case, folder = cases.CASES["wan-t2v-one-expert-unguided"], weights_of("wan-t2v-one-expert-unguided")
    model = of_family(case, folder, SHARED)

    cases.frames_of(model, cases.request(case, folder))

    pipe = model._pipelines.generation(with_image=False)
    kept = [each.blocks[0].forward for each in (pipe.transformer, pipe.transformer_2) if each is not None]
    assert all(isinstance(halves, Halves) for halves in kept)
    assert [len(halves._kept) for halves in kept] == [0] * len(kept)


def _counted(model: Any, asked: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, int]:
    """The frames, and how often a self-attention was computed for them."""
    calls: list[Any] = []
    with monkeypatch.context() as patch:
        forward = WanAttention.forward

        def counted(self: Any, hidden_states: Any, encoder_hidden_states: Any = None, *rest: Any, **named: Any) -> Any:
            if encoder_hidden_states is None:
                calls.append(self)
            return forward(self, hidden_states, encoder_hidden_states, *rest, **named)

        patch.setattr(WanAttention, "forward", counted)
        return cases.frames_of(model, asked), len(calls)
