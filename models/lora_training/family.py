"""What a family tells the trainer beside what it tells the engine (`models.common.family`)."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from models.common.embeddings import Embedding
from models.common.family import Family
from models.lora_training.noise import NoiseLaw


class TrainingFamily(Protocol):
    """One module a family implements this: `training.py` beside its `family.py`."""

    generation: Family
    """How the family encodes texts, calls its pipeline and decodes."""
    targets: tuple[str, ...]
    """Endings of the names of the linear layers that get an adapter."""

    def latents(self, pipe: Any, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (1, 3, frames, height, width) in [-1, 1] to latents in the denoiser's scale and shape, batch 1."""
        ...

    def noise_law(self, pipe: Any, expert: str, latents: torch.Tensor) -> NoiseLaw:
        """How latents of this shape are noised for an expert."""
        ...

    def predict(
        self, pipe: Any, denoiser: Any, latents: torch.Tensor, timestep: torch.Tensor, text: Embedding
    ) -> torch.Tensor:
        """The denoiser's output for noised latents, in their shape. `denoiser` is one of the pipeline's experts."""
        ...
