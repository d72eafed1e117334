"""From image files and captions to cached latents and text embeddings: the encoders run once, before training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch

from models.common.embeddings import Embedding
from models.interface import UnsupportedRequest


@dataclass(frozen=True)
class Example:
    """One reference on the CPU: latents in the denoiser's scale (batch 1), its caption, the size it was encoded at."""

    latents: torch.Tensor
    caption: str
    size: tuple[int, int]


def open_upright(path: Path) -> PIL.Image.Image:
    """An image as RGB, turned as its EXIF data says. Raises `UnsupportedRequest` naming the file for what is none."""
    try:
        with PIL.Image.open(path) as image:
            return PIL.ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise UnsupportedRequest(f"{path.name} cannot be read as an image", param="images") from error


def fitted_pixels(image: PIL.Image.Image, size: tuple[int, int], *, frames: int) -> torch.Tensor:
    """An image scaled and cut to `size` (width, height), held for `frames`: (1, 3, frames, height, width) in -1..1."""
    fitted = PIL.ImageOps.fit(image, size, method=PIL.Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.array(fitted)).permute(2, 0, 1).float() / 127.5 - 1
    return pixels[None, :, None].repeat(1, 1, frames, 1, 1)


def batched(texts: list[Embedding]) -> Embedding:
    """Embeddings of one text each, joined over the batch; those of families that do not pad are padded with zeros."""
    names = texts[0].keys()
    return {name: _joined([text[name] for text in texts]) for name in names}


def _joined(tensors: list[torch.Tensor]) -> torch.Tensor:
    longest = max(tensor.shape[1] for tensor in tensors)
    padded = [
        torch.cat([each, each.new_zeros(each.shape[0], longest - each.shape[1], *each.shape[2:])], dim=1)
        for each in tensors
    ]
    return torch.cat(padded)
