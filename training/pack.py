"""Puts trained parts together under models/checkpoints, in the layouts that diffusers and HoloCine's loader read."""

import json
import shutil
from pathlib import Path
from typing import Final

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from transformers import UMT5EncoderModel

from models import catalog
from training.captions.tokenizer import load_tokenizer
from training.evaluation.pipelines import assemble, load_autoencoder, load_expert
from training.trainers.tasks import TASKS

CHECKPOINTS: Final = Path(__file__).resolve().parent.parent / "models" / "checkpoints"
LORA_FILES: Final = ("high_noise.safetensors", "low_noise.safetensors")


def pack_stock(task: str, *, experts: Path, vae: Path, text: Path, checkpoints: Path = CHECKPOINTS) -> Path:
    """Write the stock pipeline of a task (`t2v`, `i2v`) in bf16; returns its folder."""
    folder = checkpoints / TASKS[task].checkpoint
    assemble(TASKS[task], experts=experts, vae=vae, text=text).save_pretrained(folder)
    return folder


def pack_holocine(*, experts: Path, vae: Path, text: Path, checkpoints: Path = CHECKPOINTS) -> Path:
    """Write the multi-shot model; returns its folder.

    The experts were trained with both kinds of self-attention in turn, so the full and the sparse variant are the same
    weights under the two names that HoloCine's loader looks for.
    """
    from models.holocine.export import save_folder
    from models.holocine.transformer import HoloCineTransformer3DModel

    task = TASKS["holocine"]

    def expert(noise: str) -> HoloCineTransformer3DModel:
        stock = load_expert(task, experts / f"{noise}.safetensors")
        model: HoloCineTransformer3DModel = HoloCineTransformer3DModel.from_config(stock.config)
        model.load_state_dict(stock.state_dict())
        model.to(torch.bfloat16)
        return model

    both = expert("high"), expert("low")
    folder = checkpoints / task.checkpoint
    save_folder(
        folder,
        variants={"full": both, "sparse": both},
        boundary_ratio=task.boundary,
        tokenizer=load_tokenizer(text / "tokenizer"),
        text_encoder=UMT5EncoderModel.from_pretrained(text / "text_encoder", dtype=torch.bfloat16),
        vae=load_autoencoder(vae),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=task.shift),
    )
    return folder


def pack_lora(adapters: Path, checkpoints: Path = CHECKPOINTS) -> Path:
    """Copy the four-step LoRA's two files, with what they were made for; returns their folder."""
    folder = checkpoints / "wan-mini-4step"
    folder.mkdir(parents=True, exist_ok=True)
    for name in LORA_FILES:
        shutil.copyfile(adapters / name, folder / name)
    made_for = {
        "base": "wan-mini",
        "num_inference_steps": 4,
        "flow_shift": catalog.get(folder.name).flow_shift,
        "guidance_scale": 1.0,
        "experts": list(LORA_FILES),
    }
    (folder / "lora.json").write_text(json.dumps(made_for, indent=2) + "\n", "utf-8")
    return folder
