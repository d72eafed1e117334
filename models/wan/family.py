"""Wan 2.2 over `WanPipeline` and `WanImageToVideoPipeline`.

Two experts: `transformer` denoises timesteps from `boundary_ratio` x 1000 up, `transformer_2` those below. TI2V-5B has
one network, Wan 2.2's own VAE, and a timestep per token (`expand_timesteps`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from diffusers import WanImageToVideoPipeline, WanPipeline
from diffusers.pipelines.wan.pipeline_wan import prompt_clean

from models import catalog
from models.common import weights
from models.common.calls import encode_padded, padded_arguments, shot_arguments
from models.common.embeddings import Embedding
from models.common.engine import DiffusersVideoModel
from models.common.loading import open_model
from models.common.schedulers import flow_dpm, flow_euler, flow_unipc, published
from models.common.shots import PlannedShot
from models.common.texts import count_tokens, require_whole
from models.estimate.work import LatentGrid
from models.interface import GenerationRequest
from models.placement import memory
from models.wan.decode import denormalise, stream_decode

if TYPE_CHECKING:
    import PIL.Image

    from models.catalog import ModelSpec
    from models.placement import Plan

MAX_SEQUENCE_LENGTH = 512  # tokens; default of the stock pipelines' calls


class WanFamily:
    """See `models.common.family.Family`."""

    text_components: tuple[str, ...] = ("tokenizer", "text_encoder")
    denoisers: Mapping[str, str] = {"transformer": "high_noise", "transformer_2": "low_noise"}
    vae_dtype: torch.dtype | None = torch.float32  # as published: beside bfloat16 transformers the VAE is float32
    classifier_free_guidance = True
    decodes_loop_latents = False
    sees_image_in_text = False
    schedulers: Mapping[str, Callable[[Any], Any]] = {
        "default": published,
        "unipc": flow_unipc,
        "flow-match-euler": flow_euler,
        "dpm-solver": flow_dpm,
    }

    def __init__(self, *, text: bool, image: bool, two_experts: bool) -> None:
        self.text_pipeline: type | None = WanPipeline if text else None
        self.image_pipeline: type | None = WanImageToVideoPipeline if image else None
        self._two_experts = two_experts

    def check_text(self, pipe: Any, text: str) -> None:
        require_whole(text, tokens=count_tokens(pipe.tokenizer, prompt_clean(text)), max_tokens=MAX_SEQUENCE_LENGTH)

    def encode(self, pipe: Any, text: str, image: PIL.Image.Image | None) -> Embedding:  # noqa: ARG002
        """`embeds` of shape (1, 512, width of UMT5), zero beyond the text's tokens."""
        self.check_text(pipe, text)
        return encode_padded(pipe, text, max_tokens=MAX_SEQUENCE_LENGTH)

    def arguments(
        self, request: GenerationRequest, shot: PlannedShot, positive: Embedding, negative: Embedding | None
    ) -> dict[str, Any]:
        low_noise_scale = request.guidance_scale_2 if self._two_experts else None
        texts = padded_arguments(positive, negative)
        return shot_arguments(request, shot) | texts | {"guidance_scale_2": low_noise_scale}

    def decode(
        self,
        pipe: Any,
        latents: torch.Tensor,
        request: GenerationRequest,
        shot: PlannedShot,  # noqa: ARG002
        rng: torch.Generator,  # noqa: ARG002
    ) -> Iterator[torch.Tensor]:
        strips = self._strips(pipe, latents, request) if pipe.vae.use_tiling else 0
        return stream_decode(pipe.vae, denormalise(pipe.vae, latents), strips=strips)

    def _strips(self, pipe: Any, latents: torch.Tensor, request: GenerationRequest) -> int:
        frames, height, width = latents.shape[2:]
        grid = LatentGrid(frames=frames, height=height, width=width, shots=(frames,))
        vae = catalog.get(request.model).arch.vae
        return memory.strips(vae, grid, pipe.vae.dtype.itemsize, pipe.decode_room_gib)


def load(spec: ModelSpec, *, weights_dir: Path, device: str, plan: Plan | None) -> DiffusersVideoModel:
    """Opens a Wan model in the published diffusers layout. Raises `WeightsError`."""
    index = weights.check_folder(weights_dir)
    family = WanFamily(
        text="text-to-video" in spec.tasks,
        image="image-to-video" in spec.tasks,
        two_experts=index.get("boundary_ratio") is not None,
    )
    return open_model(spec, family, weights_dir=weights_dir, device=device, plan=plan)
