"""Every trainer, for two steps on a CPU, each fed by the one before."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLWan
from safetensors.torch import load_file

from training.trainers import autoencoder, denoiser, distil, reading
from training.trainers.run import RunOptions, shape_of_rate
from training.trainers.tasks import TASKS, sample_sigma


def options(out: Path) -> RunOptions:
    return RunOptions(out=out, minutes=10, steps=2, device="cpu", compile=False, workers=0, batch_tokens=16)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A barely trained text encoder and autoencoder."""
    root = tmp_path_factory.mktemp("parts")
    text = reading.train(options(root / "text"))
    vae = autoencoder.train(options(root / "vae"))
    return {"vae": vae / "vae", "text": text / "text_encoder"}


def test_given_a_trained_autoencoder_when_its_decoder_goes_on_then_its_latents_stay(parts: Any, tmp_path: Path) -> None:
    after = autoencoder.train(options(tmp_path), start_from=parts["vae"], decoder_only=True)
    before, later = (AutoencoderKLWan.from_pretrained(folder) for folder in (parts["vae"], after / "vae"))
    assert later.config.latents_std == before.config.latents_std
    assert torch.equal(later.encoder.conv_in.weight, before.encoder.conv_in.weight)
    assert not torch.equal(later.decoder.conv_in.weight, before.decoder.conv_in.weight)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_given_a_task_when_trained_for_two_steps_then_its_expert_is_written_as_bf16(
    task: Any, parts: Any, tmp_path: Path
) -> None:
    tensors = load_file(denoiser.train(TASKS[task], "high", options(tmp_path), **parts))
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    assert tensors["patch_embedding.weight"].shape[1] == (36 if task == "i2v" else 16)
    assert float(tensors["proj_out.bias"].abs().max()) > 0


def test_given_two_experts_when_distilled_then_both_adapters_have_moved(parts: Any, tmp_path: Path) -> None:
    for expert in ("high", "low"):
        denoiser.train(TASKS["t2v"], expert, options(tmp_path), **parts)
    folder = distil.train(options(tmp_path / "lora"), experts=tmp_path, **parts)
    for name in ("high_noise", "low_noise"):
        tensors = load_file(folder / f"{name}.safetensors")
        assert all(key.startswith("transformer.blocks.") for key in tensors)
        assert any(float(value.abs().max()) > 0 for key, value in tensors.items() if "lora_B" in key)


def test_given_a_greater_shift_then_the_four_steps_are_shorter_where_the_noise_is_high() -> None:
    levels = distil.four_step_levels(replace(TASKS["t2v"], shift=12.0))
    assert levels == pytest.approx([1.0, 36 / 37, 12 / 13, 0.8, 0.0])


@pytest.mark.parametrize("task", sorted(TASKS))
def test_given_an_expert_when_noise_is_drawn_then_it_covers_its_side_of_the_boundary_and_little_more(task: Any) -> None:
    high = sample_sigma(TASKS[task], "high", 512, torch.device("cpu"))
    low = sample_sigma(TASKS[task], "low", 512, torch.device("cpu"))
    boundary = TASKS[task].boundary
    assert boundary - 0.02 < float(high.min()) < boundary < 0.99 < float(high.max()) <= 1
    assert 0 <= float(low.min()) < 0.05 < boundary < float(low.max()) < boundary + 0.02


def test_given_a_run_when_it_goes_on_then_the_rate_rises_holds_and_falls_to_nothing() -> None:
    assert shape_of_rate(0.0) < 0.1
    assert shape_of_rate(0.3) == 1.0
    assert shape_of_rate(0.75) < shape_of_rate(0.6) < 1
    assert shape_of_rate(1.0) < 1e-6
