"""Stock pipelines from trained parts, in memory or on disk."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)
from safetensors.torch import load_file
from transformers import UMT5EncoderModel

from training.captions.tokenizer import load_tokenizer
from training.networks.autoencoder import LATENT_CHANNELS
from training.networks.depth import depth_of
from training.networks.transformer import CONDITION_CHANNELS, SIZES, build_transformer
from training.trainers.tasks import Task


def load_expert(task: Task, path: Path) -> WanTransformer3DModel:
    """An expert from the file its trainer wrote, bf16."""
    channels = LATENT_CHANNELS + (CONDITION_CHANNELS if task.image else 0)
    state = load_file(path)
    model = build_transformer(replace(SIZES[task.checkpoint], layers=depth_of(state)), channels)
    model.load_state_dict(state)
    return model.to(torch.bfloat16)


def load_autoencoder(folder: Path) -> AutoencoderKLWan:
    """A trained autoencoder in bf16, without the memory of where it was read from: that would be shipped with it."""
    vae = AutoencoderKLWan.from_pretrained(folder, torch_dtype=torch.bfloat16)
    vae.register_to_config(_name_or_path="")
    return vae


def assemble(task: Task, *, experts: Path, vae: Path, text: Path) -> Any:
    """The stock pipeline of a task from trained parts, in bf16.

    experts: folder of high.safetensors and low.safetensors; vae: folder of the autoencoder; text: folder of
    text_encoder/ and tokenizer/.
    """
    parts: dict[str, Any] = {
        "tokenizer": load_tokenizer(text / "tokenizer"),
        "text_encoder": UMT5EncoderModel.from_pretrained(text / "text_encoder", dtype=torch.bfloat16),
        "vae": load_autoencoder(vae),
        "scheduler": UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=task.shift, solver_order=2
        ),
        "transformer": load_expert(task, experts / "high.safetensors"),
        "transformer_2": load_expert(task, experts / "low.safetensors"),
        "boundary_ratio": task.boundary,
    }
    if task.image:
        return WanImageToVideoPipeline(image_encoder=None, image_processor=None, **parts)
    return WanPipeline(**parts)


def open_pipeline(folder: Path, device: str, *, image: bool = False) -> Any:
    """A shipped checkpoint in float32, on a device."""
    kind = WanImageToVideoPipeline if image else WanPipeline
    pipe = kind.from_pretrained(folder, torch_dtype=torch.float32).to(device)
    pipe.set_progress_bar_config(disable=True)
    return pipe
