"""Mochi-1 over `MochiPipeline`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import PIL.Image
import torch
from diffusers import MochiPipeline

from models.common.calls import encode_masked, masked_arguments, shot_arguments
from models.common.embeddings import Embedding
from models.common.engine import DiffusersVideoModel
from models.common.loading import open_model
from models.common.schedulers import published
from models.common.shots import PlannedShot
from models.common.texts import count_tokens, require_whole
from models.interface import GenerationRequest

if TYPE_CHECKING:
    from models.catalog import ModelSpec
    from models.placement import Plan

MAX_SEQUENCE_LENGTH = 256  # tokens; default of the stock pipeline's call


class MochiFamily:
    """See `models.common.family.Family`.

    Only the published Euler scheduler: the stock call passes its own linear-quadratic noise levels, inverted, which
    other solvers do not understand.
    """

    text_components: tuple[str, ...] = ("tokenizer", "text_encoder")
    denoisers: Mapping[str, str] = {"transformer": "high_noise"}
    vae_dtype: torch.dtype | None = None
    classifier_free_guidance = True
    decodes_loop_latents = False
    sees_image_in_text = False
    schedulers: Mapping[str, Callable[[Any], Any]] = {"default": published, "flow-match-euler": published}
    text_pipeline: type | None = MochiPipeline
    image_pipeline: type | None = None

    def check_text(self, pipe: Any, text: str) -> None:
        require_whole(text, tokens=count_tokens(pipe.tokenizer, text), max_tokens=MAX_SEQUENCE_LENGTH)

    def encode(self, pipe: Any, text: str, image: PIL.Image.Image | None) -> Embedding:  # noqa: ARG002
        """`embeds` (1, 256, T5's width) and `mask` (1, 256)."""
        self.check_text(pipe, text)
        return encode_masked(pipe, text, max_tokens=MAX_SEQUENCE_LENGTH)

    def arguments(
        self, request: GenerationRequest, shot: PlannedShot, positive: Embedding, negative: Embedding | None
    ) -> dict[str, Any]:
        return shot_arguments(request, shot) | masked_arguments(positive, negative)

    def decode(
        self,
        pipe: Any,
        latents: torch.Tensor,
        request: GenerationRequest,  # noqa: ARG002
        shot: PlannedShot,  # noqa: ARG002
        rng: torch.Generator,  # noqa: ARG002
    ) -> Iterator[torch.Tensor]:
        """One chunk: by default this VAE decodes the whole length at once."""
        yield pipe.vae.decode(_denormalise(pipe.vae, latents), return_dict=False)[0]


def _denormalise(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """From the denoiser's unit scale to the VAE's, by its per-channel mean and deviation where it publishes them."""
    scaling_factor = float(vae.config.scaling_factor)
    if vae.config.get("latents_mean") is None or vae.config.get("latents_std") is None:
        return latents / scaling_factor
    mean, std = (
        torch.tensor(values).view(1, -1, 1, 1, 1).to(latents.device, latents.dtype)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    return latents * std / scaling_factor + mean


def load(spec: ModelSpec, *, weights_dir: Path, device: str, plan: Plan | None) -> DiffusersVideoModel:
    """Opens Mochi-1 in the published diffusers layout. Raises `WeightsError`."""
    return open_model(spec, MochiFamily(), weights_dir=weights_dir, device=device, plan=plan)
