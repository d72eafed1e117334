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
from models.common.embeddings import Embedding
from models.common.engine import DiffusersVideoModel
from models.common.loading import open_model
from models.common.shots import PlannedShot
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

    def uses_negative(self, request: GenerationRequest) -> bool:
        return request.guidance_scale > 1

    def encode(self, pipe: Any, text: str, image: PIL.Image.Image | None) -> Embedding:  # noqa: ARG002
        """`embeds` of shape (1, 226, T5's width)."""
        embeds, _ = pipe.encode_prompt(
            prompt=text, do_classifier_free_guidance=False, max_sequence_length=MAX_SEQUENCE_LENGTH
        )
        return {"embeds": embeds}

    def arguments(
        self, request: GenerationRequest, shot: PlannedShot, positive: Embedding, negative: Embedding | None
    ) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "prompt_embeds": positive["embeds"],
            "negative_prompt_embeds": negative["embeds"] if negative else None,
            "height": request.height,
            "width": request.width,
            "num_frames": shot.num_frames,
            "num_inference_steps": request.num_inference_steps,
            "guidance_scale": request.guidance_scale,
        }
        return arguments if shot.image is None else arguments | {"image": shot.image}

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
