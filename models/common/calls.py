"""What the stock pipelines' calls have in common: how a text is encoded, and the arguments all of them take."""

from __future__ import annotations

from typing import Any

from models.common.embeddings import Embedding
from models.common.shots import PlannedShot
from models.interface import GenerationRequest


def shot_arguments(request: GenerationRequest, shot: PlannedShot) -> dict[str, Any]:
    """Size, frames, steps, guidance, and the image that the shot starts from, if any."""
    arguments: dict[str, Any] = {
        "height": request.height,
        "width": request.width,
        "num_frames": shot.num_frames,
        "num_inference_steps": request.num_inference_steps,
        "guidance_scale": request.guidance_scale,
    }
    return arguments if shot.image is None else arguments | {"image": shot.image}


def encode_padded(pipe: Any, text: str, *, max_tokens: int) -> Embedding:
    """`embeds` of shape (1, max_tokens, the encoder's width), of a pipeline whose call takes no mask."""
    embeds, _ = pipe.encode_prompt(prompt=text, do_classifier_free_guidance=False, max_sequence_length=max_tokens)
    return {"embeds": embeds}


def padded_arguments(positive: Embedding, negative: Embedding | None) -> dict[str, Any]:
    """The texts of `encode_padded`; no negative one: no guidance."""
    return {
        "prompt_embeds": positive["embeds"],
        "negative_prompt_embeds": negative["embeds"] if negative else None,
    }


def encode_masked(pipe: Any, text: str, *, max_tokens: int) -> Embedding:
    """`embeds` of shape (1, max_tokens, the encoder's width), and `mask` (1, max_tokens), false at the padding."""
    embeds, mask, _, _ = pipe.encode_prompt(
        prompt=text, do_classifier_free_guidance=False, max_sequence_length=max_tokens
    )
    return {"embeds": embeds, "mask": mask}


def masked_arguments(positive: Embedding, negative: Embedding | None) -> dict[str, Any]:
    """The texts of `encode_masked`; no negative one: no guidance."""
    return padded_arguments(positive, negative) | {
        "prompt_attention_mask": positive["mask"],
        "negative_prompt_attention_mask": negative["mask"] if negative else None,
    }
