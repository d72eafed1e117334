"""What is really in a file that came back."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Clip:
    """A decoded video: `frames` is uint8 [frames, height, width, RGB]."""

    frames: NDArray[np.uint8]
    fps: float

    @property
    def size(self) -> str:
        return f"{self.frames.shape[2]}x{self.frames.shape[1]}"


def decode(content: bytes | Path) -> Clip:
    with av.open(io.BytesIO(content) if isinstance(content, bytes) else str(content)) as container:
        stream = container.streams.video[0]
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])
        return Clip(frames=frames, fps=float(stream.average_rate))


def image_size(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image.size
