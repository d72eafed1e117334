"""Clips from stock pipelines, batch by batch, as uint8 frames."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import PIL.Image
import torch
from torch import Tensor

from models import catalog
from models.catalog import Defaults

Frames = npt.NDArray[np.uint8]

TEXT: Final = catalog.get("wan-mini").default
IMAGE: Final = catalog.get("wan-mini-i2v").default


def _uint8(videos: Any) -> list[Frames]:
    return [(np.asarray(video) * 255).round().astype(np.uint8) for video in videos]


def text_to_video(
    pipe: Any,
    prompts: Sequence[str],
    *,
    frames: int = 33,
    height: int = 128,
    width: int = 128,
    given: Defaults = TEXT,
    seed: int = 0,
    batch: int = 25,
) -> list[Frames]:
    """One clip a prompt, uint8 [F, H, W, 3] each; `given` holds the steps and the guidance."""
    clips: list[Frames] = []
    for begin in range(0, len(prompts), batch):
        out = pipe(
            prompt=list(prompts[begin : begin + batch]),
            num_frames=frames,
            height=height,
            width=width,
            num_inference_steps=given.num_inference_steps,
            guidance_scale=given.guidance_scale,
            guidance_scale_2=given.guidance_scale_2,
            generator=torch.Generator("cpu").manual_seed(seed + begin),
            output_type="np",
        )
        clips += _uint8(out.frames)
    return clips


def image_to_video(
    pipe: Any,
    prompts: Sequence[str],
    images: Sequence[Frames],
    *,
    frames: int = 33,
    given: Defaults = IMAGE,
    seed: int = 0,
) -> list[Frames]:
    """One clip a prompt and first frame (uint8 [H, W, 3])."""
    clips: list[Frames] = []
    for index, (prompt, image) in enumerate(zip(prompts, images, strict=True)):
        out = pipe(
            image=PIL.Image.fromarray(image),
            prompt=prompt,
            num_frames=frames,
            height=image.shape[0],
            width=image.shape[1],
            num_inference_steps=given.num_inference_steps,
            guidance_scale=given.guidance_scale,
            guidance_scale_2=given.guidance_scale_2,
            generator=torch.Generator("cpu").manual_seed(seed + index),
            output_type="np",
        )
        clips += _uint8(out.frames)
    return clips


def psnr_db(shown: Frames, wanted: Frames) -> float:
    """Peak signal to noise ratio of uint8 images in dB."""
    error = np.square(shown.astype(np.float64) - wanted.astype(np.float64)).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def to_tensor(frames: Frames) -> Tensor:
    """uint8 [F, H, W, 3] -> [1, 3, F, H, W] in -1..1."""
    return torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
