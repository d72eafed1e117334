"""HunyuanVideo over `HunyuanVideoPipeline` and `HunyuanVideoImageToVideoPipeline`.

Guidance is an input of the distilled transformer, so there is one forward a step and no negative prompt. Text goes
through Llama (per-token) and CLIP-L (pooled); image to video shows the image to the text encoder (LLaVA) as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import PIL.Image
import torch
from diffusers import HunyuanVideoImageToVideoPipeline, HunyuanVideoPipeline
from diffusers.pipelines.hunyuan_video import pipeline_hunyuan_video, pipeline_hunyuan_video_image2video

from models.common import weights
from models.common.calls import shot_arguments
from models.common.embeddings import Embedding
from models.common.engine import DiffusersVideoModel
from models.common.loading import open_model
from models.common.schedulers import flow_euler, published
from models.common.shots import PlannedShot
from models.common.texts import count_tokens, require_whole
from models.interface import GenerationRequest

if TYPE_CHECKING:
    from models.catalog import ModelSpec
    from models.placement import Plan

LATENT_CONCAT = "latent_concat"
MAX_SEQUENCE_LENGTH = 256  # tokens; default of the stock pipelines' calls
# The latent-concat variant decodes its conditioning latent frame too and drops the frames of it: 4, the VAE's ratio.
DROPPED_FRAMES = 4
# Every how many image tokens the text encoder's view of the image is sampled; the stock pipeline's own choice.
_IMAGE_EMBED_INTERLEAVE: Mapping[str | None, int] = {LATENT_CONCAT: 2, "token_replace": 4}


class HunyuanVideoFamily:
    """See `models.common.family.Family`."""

    text_components: tuple[str, ...] = (
        "tokenizer",
        "text_encoder",
        "tokenizer_2",
        "text_encoder_2",
        "image_processor",
    )
    denoisers: Mapping[str, str] = {"transformer": "high_noise"}
    vae_dtype: torch.dtype | None = torch.float16  # as published: beside the bfloat16 transformer the VAE is float16
    classifier_free_guidance = False
    decodes_loop_latents = True
    schedulers: Mapping[str, Callable[[Any], Any]] = {"default": published, "flow-match-euler": flow_euler}

    def __init__(self, *, image_condition_type: str | None) -> None:
        self._image_condition_type = image_condition_type
        with_image = image_condition_type is not None
        self.text_pipeline: type | None = None if with_image else HunyuanVideoPipeline
        self.image_pipeline: type | None = HunyuanVideoImageToVideoPipeline if with_image else None
        self.sees_image_in_text = with_image
        templated = pipeline_hunyuan_video_image2video if with_image else pipeline_hunyuan_video
        self._template: Mapping[str, Any] = templated.DEFAULT_PROMPT_TEMPLATE

    def check_text(self, pipe: Any, text: str) -> None:
        """Llama reads the text inside a template, of which what stands before the text does not count. CLIP is meant
        to read no more than the first 77 tokens."""
        tokens = count_tokens(pipe.tokenizer, self._template["template"].format(text)) - self._template["crop_start"]
        require_whole(text, tokens=tokens, max_tokens=MAX_SEQUENCE_LENGTH)

    def encode(self, pipe: Any, text: str, image: PIL.Image.Image | None) -> Embedding:
        """`embeds` (1, tokens, Llama's width), `pooled` (1, CLIP's width), `mask` (1, tokens)."""
        self.check_text(pipe, text)
        image_arguments = {}
        if image is not None:
            interleave = _IMAGE_EMBED_INTERLEAVE.get(self._image_condition_type, 1)
            image_arguments = {"image": image, "image_embed_interleave": interleave}
        embeds, pooled, mask = pipe.encode_prompt(prompt=text, **image_arguments)
        return {"embeds": embeds, "pooled": pooled, "mask": mask}

    def arguments(
        self,
        request: GenerationRequest,
        shot: PlannedShot,
        positive: Embedding,
        negative: Embedding | None,  # noqa: ARG002
    ) -> dict[str, Any]:
        return shot_arguments(request, shot) | {
            "prompt_embeds": positive["embeds"],
            "pooled_prompt_embeds": positive["pooled"],
            "prompt_attention_mask": positive["mask"],
            "num_frames": shot.num_frames + self._dropped_frames(),
        }

    def decode(
        self,
        pipe: Any,
        latents: torch.Tensor,
        request: GenerationRequest,  # noqa: ARG002
        shot: PlannedShot,  # noqa: ARG002
        rng: torch.Generator,  # noqa: ARG002
    ) -> Iterator[torch.Tensor]:
        """One chunk: the VAE attends over time, so nothing of it is final before all of it is."""
        scaled = latents.to(pipe.vae.dtype) / pipe.vae.config.scaling_factor
        yield pipe.vae.decode(scaled, return_dict=False)[0][:, :, self._dropped_frames() :]

    def _dropped_frames(self) -> int:
        """Frames generated beyond those asked for, so that the video has as many as the request says."""
        return DROPPED_FRAMES if self._image_condition_type == LATENT_CONCAT else 0


def load(spec: ModelSpec, *, weights_dir: Path, device: str, plan: Plan | None) -> DiffusersVideoModel:
    """Opens a HunyuanVideo model in the published diffusers layout. Raises `WeightsError`."""
    weights.check_folder(weights_dir)
    config = json.loads((weights_dir / "transformer" / "config.json").read_text("utf-8"))
    family = HunyuanVideoFamily(image_condition_type=config.get("image_condition_type"))
    return open_model(spec, family, weights_dir=weights_dir, device=device, plan=plan)
