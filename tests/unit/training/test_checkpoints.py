"""What is shipped: layouts that the stock classes read, within the size that a repository bears."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import WanImageToVideoPipeline, WanPipeline
from safetensors.torch import load_file

from models.common.schedulers import flow_euler, shifted
from training.evaluation.generate import TEXT, text_to_video
from training.evaluation.prompts import scene_prompts
from training.evaluation.report import write_figures
from training.judge.verdict import judge, read_clip
from training.pack import CHECKPOINTS

MEGABYTE = 1_000_000


def in_four_steps(folder: Path, prompts: list[str]) -> list[Any]:
    """Clips by the stock pipeline with the LoRA, as its lora.json says."""
    made_for = json.loads((folder / "lora.json").read_text("utf-8"))
    pipe = WanPipeline.from_pretrained(CHECKPOINTS / made_for["base"], torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = flow_euler(shifted(pipe.scheduler, made_for["flow_shift"]))
    high, low = made_for["experts"]
    pipe.load_lora_weights(folder, weight_name=high, adapter_name="high")
    pipe.load_lora_weights(folder, weight_name=low, adapter_name="low", load_into_transformer_2=True)
    steps, guidance = made_for["num_inference_steps"], made_for["guidance_scale"]
    given = TEXT.model_copy(update={"num_inference_steps": steps, "guidance_scale": guidance, "guidance_scale_2": None})
    return list(text_to_video(pipe, prompts, frames=17, given=given))


def size(name: str) -> int:
    return sum(file.stat().st_size for file in (CHECKPOINTS / name).rglob("*") if file.is_file())


def test_given_the_checkpoints_when_weighed_then_they_keep_to_their_budgets() -> None:
    assert size("wan-mini") <= 30 * MEGABYTE
    assert sum(size(folder.name) for folder in CHECKPOINTS.iterdir()) <= 90 * MEGABYTE


@pytest.mark.parametrize(("name", "kind"), [("wan-mini", WanPipeline), ("wan-mini-i2v", WanImageToVideoPipeline)])
def test_given_a_stock_checkpoint_when_loaded_then_it_has_two_different_experts_and_a_boundary(
    name: str, kind: Any
) -> None:
    pipe = kind.from_pretrained(CHECKPOINTS / name, torch_dtype=torch.float32)
    assert pipe.config.boundary_ratio == (0.875 if name == "wan-mini" else 0.9)
    first, second = (model.proj_out.weight for model in (pipe.transformer, pipe.transformer_2))
    assert not torch.equal(first, second)


def test_given_the_multi_shot_checkpoint_when_read_then_every_expert_has_original_names() -> None:
    folder = CHECKPOINTS / "holocine-mini"
    for variant in ("full", "sparse"):
        for noise in ("high", "low"):
            tensors = load_file(folder / "HoloCine_dit" / variant / f"{variant}_{noise}_noise.safetensors")
            assert "blocks.0.self_attn.q.weight" in tensors
            assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    assert index["boundary_ratio"] == 0.875


def test_given_a_prompt_when_wan_mini_makes_a_clip_then_the_background_is_the_one_asked_for() -> None:
    pipe = WanPipeline.from_pretrained(CHECKPOINTS / "wan-mini", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    clip = text_to_video(pipe, ["um quadrado vermelho indo para a direita em um fundo azul"], frames=17)[0]
    assert clip.shape == (17, 128, 128, 3)
    assert read_clip(clip).background == "blue"


def test_given_the_four_step_lora_when_a_clip_is_made_without_guidance_then_it_is_the_one_asked_for() -> None:
    folder = CHECKPOINTS / "wan-mini-4step"
    made_for = json.loads((folder / "lora.json").read_text("utf-8"))
    assert size(folder.name) <= 3 * MEGABYTE
    prompts = scene_prompts(2)
    assert made_for["base"] == "wan-mini"

    clips = in_four_steps(folder, [prompt.caption.text for prompt in prompts])

    for prompt, clip in zip(prompts, clips, strict=True):
        shown = judge(prompt.scene, read_clip(clip))
        assert (shown.colour, shown.background, shown.shape) == (True, True, True), prompt.caption.text


def test_given_a_model_card_when_figures_are_written_then_only_they_change(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("above\n<!-- figures -->\nold\n<!-- /figures -->\nbelow\n", "utf-8")
    write_figures(card, "new")
    assert card.read_text("utf-8") == "above\n<!-- figures -->\nnew\n<!-- /figures -->\nbelow\n"


def test_given_a_card_without_a_place_for_figures_when_written_then_it_is_refused(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("nothing here\n", "utf-8")
    with pytest.raises(ValueError, match="no place"):
        write_figures(card, "new")
