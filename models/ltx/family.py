"""LTX-Video over `LTXPipeline` and `LTXImageToVideoPipeline`, which share their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import PIL.Image
import torch
from diffusers import LTXImageToVideoPipeline, LTXPipeline
from diffusers.utils.torch_utils import randn_tensor

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

MAX_SEQUENCE_LENGTH = 128  # tokens; default of the stock pipelines' calls
# VAEs that denoise while they decode (0.9.1 on): timestep and noise as in the diffusers documentation of LTX-Video.
DECODE_TIMESTEP = 0.05
DECODE_NOISE_SCALE = 0.025


class LTXFamily:
    """See `models.common.family.Family`.

    Only the published Euler scheduler: its shift follows the number of tokens, which the stock call hands to it.
    """

    text_components: tuple[str, ...] = ("tokenizer", "text_encoder")
    denoisers: Mapping[str, str] = {"transformer": "high_noise"}
    vae_dtype: torch.dtype | None = None
    classifier_free_guidance = True
    decodes_loop_latents = False
    sees_image_in_text = False
    schedulers: Mapping[str, Callable[[Any], Any]] = {"default": published, "flow-match-euler": published}
    text_pipeline: type | None = LTXPipeline
    image_pipeline: type | None = LTXImageToVideoPipeline

    def check_text(self, pipe: Any, text: str) -> None:
        require_whole(text, tokens=count_tokens(pipe.tokenizer, text), max_tokens=MAX_SEQUENCE_LENGTH)

    def encode(self, pipe: Any, text: str, image: PIL.Image.Image | None) -> Embedding:  # noqa: ARG002
        """`embeds` (1, 128, T5's width) and `mask` (1, 128)."""
        self.check_text(pipe, text)
        return encode_masked(pipe, text, max_tokens=MAX_SEQUENCE_LENGTH)

    def arguments(
        self, request: GenerationRequest, shot: PlannedShot, positive: Embedding, negative: Embedding | None
    ) -> dict[str, Any]:
        return shot_arguments(request, shot) | masked_arguments(positive, negative) | {"frame_rate": request.fps}

    def decode(
        self,
        pipe: Any,
        latents: torch.Tensor,
        request: GenerationRequest,
        shot: PlannedShot,
        rng: torch.Generator,
    ) -> Iterator[torch.Tensor]:
        """One chunk: by default this VAE decodes the whole length at once."""
        latents = _denormalise(pipe, latents, request, shot).to(pipe.transformer.dtype)
        timestep = None
        if pipe.vae.config.timestep_conditioning:
            noise = randn_tensor(latents.shape, generator=rng, device=latents.device, dtype=latents.dtype)
            timestep = torch.tensor([DECODE_TIMESTEP], device=latents.device, dtype=latents.dtype)
            scale = torch.tensor([DECODE_NOISE_SCALE], device=latents.device, dtype=latents.dtype)
            latents = (1 - scale) * latents + scale * noise
        yield pipe.vae.decode(latents.to(pipe.vae.dtype), timestep, return_dict=False)[0]


def _denormalise(pipe: Any, latents: torch.Tensor, request: GenerationRequest, shot: PlannedShot) -> torch.Tensor:
    """From the denoiser's sequence of tokens (1, tokens, c) in unit scale to the VAE's (1, c, f, h, w)."""
    unpacked = pipe._unpack_latents(
        latents,
        (shot.num_frames - 1) // pipe.vae_temporal_compression_ratio + 1,
        request.height // pipe.vae_spatial_compression_ratio,
        request.width // pipe.vae_spatial_compression_ratio,
        pipe.transformer_spatial_patch_size,
        pipe.transformer_temporal_patch_size,
    )
    vae = pipe.vae
    denormalised: torch.Tensor = pipe._denormalize_latents(
        unpacked, vae.latents_mean, vae.latents_std, vae.config.scaling_factor
    )
    return denormalised


def load(spec: ModelSpec, *, weights_dir: Path, device: str, plan: Plan | None) -> DiffusersVideoModel:
    """Opens LTX-Video in the published diffusers layout. Raises `WeightsError`."""
    return open_model(spec, LTXFamily(), weights_dir=weights_dir, device=device, plan=plan)
