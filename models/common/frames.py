"""From what a VAE decodes to the frames that a model yields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch

from models.interface import UnsupportedRequest

if TYPE_CHECKING:
    from models.interface import Frame


def to_frames(chunks: Iterable[torch.Tensor], video_processor: Any) -> Iterator[Frame]:
    """Frames (height x width x 3, uint8) of decoded chunks of shape (1, 3, frames, height, width) in [-1, 1].

    The stock post-processing, one frame at a time: beside the decoded chunk only one frame is ever held.
    """
    for chunk in chunks:
        for index in range(chunk.shape[2]):
            frame = video_processor.postprocess_video(chunk[:, :, index : index + 1], output_type="np")[0, 0]
            yield (frame * 255).round().astype(np.uint8)


def open_image(path: Path) -> PIL.Image.Image:
    """The conditioning image as RGB, upright. Raises `UnsupportedRequest` naming the field if it cannot be read."""
    try:
        with PIL.Image.open(path) as image:
            return PIL.ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:  # as Pillow's readers raise
        raise UnsupportedRequest(f"the image cannot be read: {error}", param="image") from error


def has_shape(image: PIL.Image.Image, size: tuple[int, int]) -> bool:
    """Whether `image` is of the shape of `size` (width, height). Less than a pixel too much on one side is how an image
    scaled to that shape is rounded."""
    (width, height), (wanted_width, wanted_height) = image.size, size
    surplus = width * wanted_height - height * wanted_width
    return -wanted_width < surplus < wanted_height


def fitted(image: PIL.Image.Image, size: tuple[int, int]) -> PIL.Image.Image:
    """`image` cut to the shape of `size` around its middle, and scaled; one of that shape is left to the stock
    pipeline, which would stretch any other."""
    if has_shape(image, size):
        return image
    return PIL.ImageOps.fit(image, size, method=PIL.Image.Resampling.LANCZOS)
