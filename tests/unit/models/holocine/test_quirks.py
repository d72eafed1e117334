"""What the weights' own inference gets wrong in silence (quirks 8, 11, 13, 14 and 15 of the specification) is refused
here, or done right. Quirk 7: `test_loop_parity`; 9, 10 and 12: `test_prompt_and_shots`; 15's prompts: `test_model`."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from models.holocine.errors import HoloCineError, PromptError, ShotError
from models.holocine.layout import ShotLayout
from models.holocine.prompt import TextRanges
from models.holocine.shots import plan_captions, plan_prompt
from tests.unit.models.holocine.test_attention_memory import TEXT, inputs, three_shots, transformer

CAPTIONS = ["She enters.", "She sits."]


@pytest.mark.parametrize("shots", [(0, 0, 1, 2, 3), (0, 3, 3, 3, 3)])
def test_quirk_8_given_a_shot_without_a_caption_then_refused_and_not_run_unmasked(shots: tuple[int, ...]) -> None:
    with pytest.raises(ShotError, match="4 shots in the video, but 3 captions"):
        ShotLayout(shot_of_latent_frame=shots, text=TEXT)


def test_quirk_8_given_no_global_caption_then_refused_and_not_run_unmasked() -> None:
    with pytest.raises(PromptError, match="global"):
        ShotLayout(shot_of_latent_frame=(0, 0, 0), text=TextRanges(global_caption=None, shots=((0, 3),)))


@pytest.mark.parametrize("cuts", [[0], [2], [40], [41, 41], [45, 41], [81], [-3]])
def test_quirk_11_given_cuts_that_would_be_rounded_merged_or_lost_then_refused(cuts: list[int]) -> None:
    with pytest.raises(HoloCineError):
        plan_captions("A room.", CAPTIONS, num_frames=81, cuts=cuts)
    with pytest.raises(HoloCineError):
        plan_prompt("[global caption] A room. [per shot caption] a [shot cut] b", num_frames=81, cuts=cuts)


@pytest.mark.parametrize(("cut", "latent_frames_of_the_first"), [(41, 11), (1, 1)])
def test_quirk_11_given_a_cut_on_a_latent_frame_then_it_stands_as_given(
    cut: int, latent_frames_of_the_first: int
) -> None:
    planned = plan_captions("A room.", CAPTIONS, num_frames=81, cuts=[cut])

    assert planned.cuts == (cut,)
    assert (planned.shot_of_latent_frame or ()).count(0) == latent_frames_of_the_first


@torch.no_grad()
def test_quirk_13_given_a_timestep_a_sample_then_no_sample_of_the_batch_sees_another_s() -> None:
    model = transformer(sparse=True)
    latents, _, context = inputs(6, 8, batch=3)
    timesteps = torch.tensor([900.0, 500.0, 20.0])
    with model.use_shots(three_shots(6)):
        together = model(latents, timesteps, context).sample
        for row in range(3):
            one = slice(row, row + 1)
            alone = model(latents[one], timesteps[one], context[one]).sample
            torch.testing.assert_close(together[one], alone, rtol=0, atol=1e-5)


@torch.no_grad()
def test_quirk_14_given_both_guidance_passes_in_one_batch_then_each_is_as_if_alone() -> None:
    model = transformer(sparse=True)
    latents, timesteps, context = inputs(6, 8, batch=2)
    shots = three_shots(6)
    unmasked = ShotLayout(shot_of_latent_frame=shots.shot_of_latent_frame, text=None)
    with model.use_shots([shots, unmasked]):
        together = model(latents, timesteps, context).sample
    for row, name in enumerate(("cond", "uncond")):
        one = slice(row, row + 1)
        with model.use_shots(shots), model.cache_context(name):
            alone = model(latents[one], timesteps[one], context[one]).sample
        torch.testing.assert_close(together[one], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("attention", ["attn1", "attn2"])
@torch.no_grad()
def test_quirk_14_given_a_sequence_split_over_gpus_then_refused_and_not_run_without_shots(attention: str) -> None:
    model = transformer(sparse=True)
    getattr(model.blocks[0], attention).processor._parallel_config = SimpleNamespace()

    with pytest.raises(ShotError, match="context parallelism"), model.use_shots(three_shots(6)):
        model(*inputs(6, 8))


@pytest.mark.parametrize(
    ("changes", "param"),
    [({"num_frames": 80}, "num_frames"), ({"num_frames": 0}, "num_frames"), ({"shot_captions": []}, "prompt")],
)
def test_quirk_15_given_counts_that_make_no_video_then_refused_naming_the_field(
    changes: dict[str, Any], param: str
) -> None:
    asked: dict[str, Any] = {"global_caption": "A room.", "shot_captions": CAPTIONS, "num_frames": 81} | changes
    with pytest.raises(HoloCineError) as refused:
        plan_captions(**asked)
    assert refused.value.param == param
