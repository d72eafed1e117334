"""Every trainer, for two steps on a CPU, each fed by the one before."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLWan
from safetensors.torch import load_file

from training.trainers import autoencoder, denoiser, distil, examination, match, opponents, reading
from training.trainers.run import RunOptions, shape_of_rate
from training.trainers.tasks import TASKS, sample_sigma, shifted


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


@pytest.fixture(scope="module")
def distilled(parts: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two barely trained experts, and a LoRA distilled from them."""
    root = tmp_path_factory.mktemp("experts")
    for expert in ("high", "low"):
        denoiser.train(TASKS["t2v"], expert, options(root), **parts)
    return {"experts": root, "lora": distil.train(options(root / "lora"), experts=root, **parts)}


def test_given_two_experts_when_distilled_then_both_adapters_have_moved(distilled: Any) -> None:
    for name in ("high_noise", "low_noise"):
        tensors = load_file(distilled["lora"] / f"{name}.safetensors")
        assert all(key.startswith("transformer.blocks.") for key in tensors)
        assert any(float(value.abs().max()) > 0 for key, value in tensors.items() if "lora_B" in key)


def test_given_the_same_seed_when_distilled_again_then_the_adapters_are_the_same_bits(
    distilled: Any, parts: Any, tmp_path: Path
) -> None:
    first = distil.train(replace(options(tmp_path), steps=4), experts=distilled["experts"], **parts)
    again = distil.train(replace(options(tmp_path / "again"), steps=4), experts=distilled["experts"], **parts)
    for name in ("high_noise", "low_noise"):
        assert (again / f"{name}.safetensors").read_bytes() == (first / f"{name}.safetensors").read_bytes()


@pytest.mark.parametrize("trainer", [distil, match])
def test_given_a_lora_when_taught_further_then_it_begins_where_that_one_ended(
    trainer: Any, distilled: Any, parts: Any, tmp_path: Path
) -> None:
    taught = trainer.train(replace(options(tmp_path), learning_rate=1e-7), **distilled, **parts)
    for name in ("high_noise", "low_noise"):
        before, after = (load_file(folder / f"{name}.safetensors") for folder in (distilled["lora"], taught))
        assert before.keys() == after.keys()
        assert all(torch.allclose(before[key], after[key], atol=1e-4) for key in before)


def test_given_a_lora_when_matched_for_some_steps_then_the_student_moves(
    distilled: Any, parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bool] = []
    monkeypatch.setattr(match, "CRITIC_STEPS", 1)
    monkeypatch.setattr(examination.Examination, "right", lambda *_: _rising(kept))
    taught = match.train(replace(options(tmp_path), steps=8), **distilled, **parts)
    moved = [
        not torch.equal(before[key], after[key])
        for name in ("high_noise", "low_noise")
        for before, after in [[load_file(f / f"{name}.safetensors") for f in (distilled["lora"], taught)]]
        for key in before
    ]
    assert any(moved)
    assert len(kept) == 2  # before the first step and after the last


def _rising(kept: list[bool]) -> examination.Right:
    """Every examination better than the one before."""
    kept.append(True)
    return examination.Right(one=0.1 * len(kept), two=0.0)


@pytest.mark.parametrize("floor", [0.0, 0.8, 0.923, 0.973])
def test_given_the_end_of_a_step_then_clips_are_compared_at_noise_above_it_by_the_expert_for_it(floor: float) -> None:
    task = TASKS["t2v"]
    spans = [opponents.random_span(task, floor) for _ in range(200)]
    for span in spans:
        least, most = (float(shifted(torch.tensor(p), task.shift)) for p in (span.least, span.most))
        assert floor - 1e-6 <= least < most
        assert least >= task.boundary - 1e-6 if span.expert == "high" else most <= task.boundary + 1e-6
    assert {span.expert for span in spans} == ({"high", "low"} if floor < task.boundary else {"high"})


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
