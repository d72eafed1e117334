"""The whole denoising loop of the pipeline against the golden one, float32 on the CPU, every case in the folder."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from models.common.schedulers import EvenFlowEuler
from models.holocine.checkpoint import load_expert
from models.holocine.layout import ShotLayout
from models.holocine.pipeline import HoloCinePipeline
from models.holocine.shots import latent_shot_indices
from tests.unit.models.holocine.goldens import (
    GOLDENS,
    LOOP_CASES,
    assert_agrees,
    config_of,
    tensors_of,
    text_ranges_of,
    transformer_config,
)


def golden_pipeline(case: str) -> HoloCinePipeline:
    config = config_of(case)

    def expert(name: str) -> Any:
        path = Path(GOLDENS / case / config[name])
        return load_expert(path, transformer_config(config["model"]), sparse=config["sparse"], dtype=torch.float32)

    pipe = HoloCinePipeline(
        tokenizer=None,
        text_encoder=None,
        vae=AutoencoderKLWan(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
        scheduler=EvenFlowEuler(shift=config["sigma_shift"]),
        transformer=expert("weights_high"),
        transformer_2=expert("weights_low"),
        boundary_ratio=config["switch_boundary"],
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def denoise(pipe: HoloCinePipeline, case: str, *, guidance_scale: float) -> tuple[list[Tensor], list[Tensor]]:
    """Latents after each step, and the timesteps that the model was given."""
    config, inputs = config_of(case), tensors_of(case, "inputs")
    latents: list[Tensor] = []

    def on_step_end(_: Any, __: int, ___: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        latents.append(tensors["latents"].clone())
        return {}

    indices = latent_shot_indices(config["shot_cut_frames"], config["num_frames"])
    assert list(indices) == inputs["shot_indices"][0].tolist()
    pipe(
        prompt_embeds=inputs["context"],
        negative_prompt_embeds=inputs["context_negative"],
        height=config["height"],
        width=config["width"],
        num_frames=config["num_frames"],
        num_inference_steps=config["num_inference_steps"],
        guidance_scale=guidance_scale,
        generator=torch.Generator("cpu").manual_seed(config["noise_seed"]),
        output_type="latent",
        callback_on_step_end=on_step_end,
        shot_layout=ShotLayout(shot_of_latent_frame=indices, text=text_ranges_of(config["text_cut_positions"])),
    )
    return latents, list(pipe.scheduler.timesteps)


def test_the_golden_folder_holds_loops() -> None:
    assert LOOP_CASES


@pytest.mark.parametrize("case", LOOP_CASES)
def test_given_a_golden_loop_when_denoised_then_the_latents_agree_after_every_step(case: str) -> None:
    pipe = golden_pipeline(case)
    runs: list[str] = []
    for name, expert in (("high", pipe.transformer), ("low", pipe.transformer_2)):
        expert.register_forward_pre_hook(lambda *_, name=name: runs.append(name))
    latents, timesteps = denoise(pipe, case, guidance_scale=config_of(case)["cfg_scale"])

    expected = tensors_of(case, "outputs")
    for step, golden in enumerate(expected["latents_after_step"]):
        assert_agrees(latents[step], golden, f"latents after step {step + 1}")
    torch.testing.assert_close(torch.stack(timesteps), expected["timesteps"], rtol=0, atol=1e-3)
    # Both passes of a step by the same expert.
    passes = 2 if config_of(case)["cfg_scale"] > 1 else 1
    assert runs == [name for name in config_of(case)["model_used_per_step"] for _ in range(passes)]


@pytest.mark.parametrize("case", LOOP_CASES)
def test_given_the_golden_noise_rule_when_noise_is_drawn_then_it_is_the_golden_noise(case: str) -> None:
    config = config_of(case)
    drawn = golden_pipeline(case).prepare_latents(
        1,
        16,
        config["height"],
        config["width"],
        config["num_frames"],
        torch.float32,
        torch.device("cpu"),
        torch.Generator("cpu").manual_seed(config["noise_seed"]),
    )
    assert torch.equal(drawn, tensors_of(case, "inputs")["initial_latents"])


@pytest.mark.parametrize("case", LOOP_CASES)
def test_given_no_guidance_when_denoised_then_the_window_stays_on(case: str) -> None:
    pipe, inputs = golden_pipeline(case), tensors_of(case, "inputs")
    positive = tensors_of(case, "outputs")["noise_pred_positive_first_last"][0]
    latents, _ = denoise(pipe, case, guidance_scale=1.0)
    # The first step from the golden noise, by the golden windowed velocity alone.
    sigma, following = pipe.scheduler.sigmas[:2]
    assert_agrees(latents[0], inputs["initial_latents"] + (following - sigma) * positive)
