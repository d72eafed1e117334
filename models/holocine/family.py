"""HoloCine behind the common engine: its texts, its call, its decoding."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from models.common.calls import encode_padded, padded_arguments, shot_arguments
from models.common.embeddings import Embedding
from models.common.schedulers import EvenFlowEuler
from models.common.shots import PlannedShot
from models.holocine.layout import ShotLayout
from models.holocine.locate import locate_captions
from models.holocine.pipeline import HoloCinePipeline
from models.holocine.prompt import TextRanges
from models.holocine.scheduler import SHIFT
from models.holocine.sequence import SequenceRequest
from models.holocine.shots import latent_shot_indices
from models.interface import GenerationRequest
from models.wan.decode import denormalise, stream_decode

if TYPE_CHECKING:
    import PIL.Image


def holocine_schedule(published: Any) -> EvenFlowEuler:
    """HoloCine's schedule. The Wan 2.2 base publishes UniPC, which HoloCine does not use; a folder that publishes a
    flow-matching Euler scheduler says its own shift."""
    shift = published.config.shift if isinstance(published, FlowMatchEulerDiscreteScheduler) else SHIFT
    return EvenFlowEuler(shift=shift, num_train_timesteps=published.config.num_train_timesteps)


class HoloCineFamily:
    """See `models.common.family.Family`. All shots of a request are one generation: one text, one latent video."""

    text_pipeline: type | None = HoloCinePipeline
    image_pipeline: type | None = None
    text_components: tuple[str, ...] = ("tokenizer", "text_encoder")
    denoisers: Mapping[str, str] = {"transformer": "high_noise", "transformer_2": "low_noise"}
    vae_dtype: torch.dtype | None = torch.float32
    classifier_free_guidance = True
    decodes_loop_latents = False
    sees_image_in_text = False
    schedulers: Mapping[str, Callable[[Any], Any]] = {
        "default": holocine_schedule,
        "flow-match-euler": holocine_schedule,
    }

    def __init__(self, *, text_length: int) -> None:
        """`text_length`: tokens of the padded text (512 for HoloCine-14B)."""
        self._text_length = text_length

    def check_text(self, pipe: Any, text: str) -> None:
        locate_captions(pipe.tokenizer, text, max_tokens=self._text_length)

    def encode(self, pipe: Any, text: str, image: "PIL.Image.Image | None") -> Embedding:  # noqa: ARG002
        """`embeds` [1, text length, width of UMT5], zero at padding; `captions` int64 [shots + 1, 2], tokens of the
        global caption and of each shot's, empty where the text has no markers.

        Raises `TextTooLong`, `PromptError`.
        """
        ranges = locate_captions(pipe.tokenizer, text, max_tokens=self._text_length)
        return encode_padded(pipe, text, max_tokens=self._text_length) | {"captions": _to_tensor(ranges)}

    def arguments(
        self, request: GenerationRequest, shot: PlannedShot, positive: Embedding, negative: Embedding | None
    ) -> dict[str, Any]:
        if not isinstance(request, SequenceRequest):
            raise TypeError("HoloCine is given its request through HoloCineVideoModel")
        indices = latent_shot_indices(request.cuts, shot.num_frames)
        layout = ShotLayout(shot_of_latent_frame=indices, text=_from_tensor(positive["captions"]))
        own = {"guidance_scale_2": request.guidance_scale_2, "shot_layout": layout}
        return shot_arguments(request, shot) | padded_arguments(positive, negative) | own

    def decode(
        self,
        pipe: Any,
        latents: Tensor,
        request: GenerationRequest,  # noqa: ARG002
        shot: PlannedShot,  # noqa: ARG002
        rng: torch.Generator,  # noqa: ARG002
    ) -> Iterator[Tensor]:
        return stream_decode(pipe.vae, denormalise(pipe.vae, latents))


def _to_tensor(ranges: TextRanges | None) -> Tensor:
    if ranges is None or ranges.global_caption is None:
        return torch.zeros(0, 2, dtype=torch.int64)
    return torch.tensor([ranges.global_caption, *ranges.shots], dtype=torch.int64)


def _from_tensor(captions: Tensor) -> TextRanges | None:
    rows = [(start, end) for start, end in captions.tolist()]
    return TextRanges(global_caption=rows[0], shots=tuple(rows[1:])) if rows else None
