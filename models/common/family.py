"""What a family tells the common engine: its classes, its texts, its call and its decoding. No more than that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import PIL.Image
import torch

from models.common.embeddings import Embedding
from models.common.shots import PlannedShot
from models.interface import GenerationRequest


class Family(Protocol):
    """One module a family implements this over its stock diffusers classes."""

    text_pipeline: type | None
    """Stock pipeline class for text alone; None if every generation starts from an image."""
    image_pipeline: type | None
    """Stock pipeline class for a given first frame; None if the model takes no image."""
    text_components: tuple[str, ...]
    """Components of `model_index.json` that only the encoding of text needs (encoders, tokenizers)."""
    denoisers: Mapping[str, str]
    """Component name of each denoising network -> the expert it is (`high_noise` where there is one network)."""
    vae_dtype: torch.dtype | None
    """The dtype that the published recipe decodes in beside a bfloat16 denoiser, if it is another one."""
    classifier_free_guidance: bool
    """True where a guidance scale above 1 means a second, negative pass; False where the scale is an input."""
    decodes_loop_latents: bool
    """True where `output_type="latent"` cuts the latents that the stock pipeline decodes: then those that the last
    step left are decoded, else what the call returns."""
    sees_image_in_text: bool
    """True where the text encoder is shown the image too."""
    schedulers: Mapping[str, Callable[[Any], Any]]
    """Name -> maker of a fresh scheduler from the published one's configuration; `default` is the published one."""

    def check_text(self, pipe: Any, text: str) -> None:
        """Raises `TextTooLong` for a text that the stock pipeline would cut."""
        ...

    def encode(self, pipe: Any, text: str, image: PIL.Image.Image | None) -> Embedding:
        """Named embeddings of one text, batch 1, as the stock pipeline's `encode_prompt` gives them. Raises as
        `check_text` does."""
        ...

    def arguments(
        self, request: GenerationRequest, shot: PlannedShot, positive: Embedding, negative: Embedding | None
    ) -> dict[str, Any]:
        """Keyword arguments of the stock pipeline's call (all but generator, callback and output type)."""
        ...

    def decode(
        self, pipe: Any, latents: torch.Tensor, request: GenerationRequest, shot: PlannedShot, rng: torch.Generator
    ) -> Iterator[torch.Tensor]:
        """Decodes the final latents: chunks (1, 3, frames, height, width) in [-1, 1]."""
        ...
