"""CogVideoX-5B over `CogVideoXPipeline` and `CogVideoXImageToVideoPipeline`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import PIL.Image
import torch
from diffusers import CogVideoXImageToVideoPipeline, CogVideoXPipeline

from models.cogvideox import schedulers
from models.cogvideox.decode import denormalise, stream_decode
from models.common.calls import encode_padded, padded_arguments, shot_arguments
from models.common.embeddings import Embedding
from models.common.engine import DiffusersVideoModel
from models.common.loading import open_model
from models.common.shots import PlannedShot
from models.common.texts import count_tokens, require_whole
from models.interface import GenerationRequest

if TYPE_CHECKING:
    from models.catalog import ModelSpec
    from models.placement import Plan

MAX_SEQUENCE_LENGTH = 226  # tokens; what the transformer was trained with


class CogVideoXFamily:
    """See `models.common.family.Family`."""

    text_components: tuple[str, ...] = ("tokenizer", "text_encoder")
    denoisers: Mapping[str, str] = {"transformer": "high_noise"}
    vae_dtype: torch.dtype | None = None
    classifier_free_guidance = True
    decodes_loop_latents = False
    sees_image_in_text = False
    schedulers: Mapping[str, Callable[[Any], Any]] = {
        "default": schedulers.published,
        "cogvideox-dpm": schedulers.dpm,
        "cogvideox-ddim": schedulers.ddim,
    }

    def __init__(self, *, image: bool) -> None:
        self.text_pipeline: type | None = None if image else CogVideoXPipeline
        self.image_pipeline: type | None = CogVideoXImageToVideoPipeline if image else None

    def check_text(self, pipe: Any, text: str) -> None:
        require_whole(text, tokens=count_tokens(pipe.tokenizer, text), max_tokens=MAX_SEQUENCE_LENGTH)

    def encode(self, pipe: Any, text: str, image: PIL.Image.Image | None) -> Embedding:  # noqa: ARG002
        """`embeds` of shape (1, 226, T5's width)."""
        self.check_text(pipe, text)
        return encode_padded(pipe, text, max_tokens=MAX_SEQUENCE_LENGTH)

    def arguments(
        self, request: GenerationRequest, shot: PlannedShot, positive: Embedding, negative: Embedding | None
    ) -> dict[str, Any]:
        return shot_arguments(request, shot) | padded_arguments(positive, negative)

    def decode(
        self,
        pipe: Any,
        latents: torch.Tensor,
        request: GenerationRequest,  # noqa: ARG002
        shot: PlannedShot,
        rng: torch.Generator,  # noqa: ARG002
    ) -> Iterator[torch.Tensor]:
        return stream_decode(pipe.vae, denormalise(pipe, latents, shot.num_frames))


def load(spec: ModelSpec, *, weights_dir: Path, device: str, plan: Plan | None) -> DiffusersVideoModel:
    """Opens a CogVideoX model in the published diffusers layout. Raises `WeightsError`."""
    family = CogVideoXFamily(image="image-to-video" in spec.tasks)
    return open_model(spec, family, weights_dir=weights_dir, device=device, plan=plan)
