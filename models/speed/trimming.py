"""Stock attention that the fast kernels can take: no masks over padded text, one layout, diffusers' dispatcher.

A mask that only hides padding is exchanged for text without padding. The sums that remain are the same numbers, in
another order: equal within rounding (tested), not bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.attention_processor import MochiAttnProcessor2_0
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers.transformer_hunyuan_video import HunyuanVideoAttnProcessor2_0
from torch import Tensor, nn

from models.speed import short_text


def prepare(denoiser: nn.Module) -> bool:
    """Readies a network of one of the classes below; others need nothing. True where texts of other lengths make
    other shapes, so that compilation should leave the length open."""
    preparation = _PREPARATIONS.get(type(denoiser).__name__)
    return preparation(denoiser) if preparation is not None else False


def prefix_length(mask: Tensor) -> int | None:
    """How many tokens of one text `mask` [1, tokens] shows, if these are its first ones; else None."""
    shown = mask[0].bool()
    count = int(shown.sum())
    return count if bool(shown[:count].all()) else None


class UnmaskedHunyuanProcessor(HunyuanVideoAttnProcessor2_0):  # type: ignore[misc]  # diffusers has no types
    """The stock processor, told of no mask: the text has been trimmed."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,  # noqa: ARG002 - given by name
        image_rotary_emb: Tensor | None = None,
    ) -> Any:
        return super().__call__(attn, hidden_states, encoder_hidden_states, None, image_rotary_emb)


class DispatchedCogVideoXProcessor:
    """CogVideoX's attention through the dispatcher, [batch, tokens, heads, head_dim]."""

    _attention_backend: Any = None
    _parallel_config: Any = None

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Video tokens [batch, tokens, dim] and text tokens, attending to each other."""
        length = encoder_hidden_states.shape[1]
        joint = torch.cat([encoder_hidden_states, hidden_states], dim=1)
        query, key, value = (layer(joint).unflatten(2, (attn.heads, -1)) for layer in (attn.to_q, attn.to_k, attn.to_v))
        query, key = attn.norm_q(query), attn.norm_k(key)
        if image_rotary_emb is not None:
            query, key = (_rotate_video(each, length, image_rotary_emb) for each in (query, key))
        out = dispatch_attention_fn(query, key, value, attn_mask=attention_mask, backend=self._attention_backend)
        out = attn.to_out[1](attn.to_out[0](out.flatten(2, 3).type_as(query)))
        return out[:, length:], out[:, :length]


def _rotate_video(tensor: Tensor, text_length: int, rotary: Any) -> Tensor:
    rotated = apply_rotary_emb(tensor[:, text_length:], rotary, sequence_dim=1)
    return torch.cat([tensor[:, :text_length], rotated], dim=1)


class UnmaskedMochiProcessor:
    """Mochi's attention over video and whole text; the text has been trimmed, one video at a time."""

    _attention_backend: Any = None
    _parallel_config: Any = None

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,  # noqa: ARG002 - given by name
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Video tokens [1, tokens, dim] and text tokens [1, length, text dim]."""
        video = [layer(hidden_states).unflatten(2, (attn.heads, -1)) for layer in (attn.to_q, attn.to_k, attn.to_v)]
        added = (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj)
        text = [layer(encoder_hidden_states).unflatten(2, (attn.heads, -1)) for layer in added]
        video[0], video[1] = attn.norm_q(video[0]), attn.norm_k(video[1])
        text[0], text[1] = attn.norm_added_q(text[0]), attn.norm_added_k(text[1])
        if image_rotary_emb is not None:
            video[0], video[1] = (_rotate_mochi(each, *image_rotary_emb) for each in video[:2])
        query, key, value = (torch.cat(pair, dim=1) for pair in zip(video, text, strict=True))
        out = dispatch_attention_fn(query, key, value, backend=self._attention_backend).flatten(2, 3)
        length = hidden_states.shape[1]
        shown, told = out[:, :length], out[:, length:]
        shown = attn.to_out[1](attn.to_out[0](shown))
        return shown, attn.to_add_out(told) if hasattr(attn, "to_add_out") else told


def _rotate_mochi(tensor: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    even, odd = tensor[..., 0::2].float(), tensor[..., 1::2].float()
    rotated = (even * cos - odd * sin).to(tensor.dtype), (even * sin + odd * cos).to(tensor.dtype)
    return torch.stack(rotated, dim=-1).flatten(-2)


def _prepare_hunyuan(denoiser: Any) -> bool:
    stock = [module for module in denoiser.modules() if hasattr(module, "processor")]
    masked = [module.processor for module in stock]
    unmasked = [
        UnmaskedHunyuanProcessor() if isinstance(each, HunyuanVideoAttnProcessor2_0) else each for each in masked
    ]
    for module, processor in zip(stock, unmasked, strict=True):
        module.processor = processor
    forward = denoiser.forward

    def trimmed(*, encoder_hidden_states: Tensor, encoder_attention_mask: Tensor, **others: Any) -> Any:
        length = prefix_length(encoder_attention_mask) if len(encoder_attention_mask) == 1 else None
        if length is not None:
            encoder_hidden_states = encoder_hidden_states[:, :length]
            encoder_attention_mask = encoder_attention_mask[:, :length]
        for module, with_mask, without in zip(stock, masked, unmasked, strict=True):
            module.processor = with_mask if length is None else without
        return forward(
            encoder_hidden_states=encoder_hidden_states, encoder_attention_mask=encoder_attention_mask, **others
        )

    denoiser.forward = trimmed
    return True


def _prepare_mochi(denoiser: Any) -> bool:
    for module in denoiser.modules():
        if isinstance(getattr(module, "processor", None), MochiAttnProcessor2_0):
            module.processor = UnmaskedMochiProcessor()
    denoiser.forward = _row_by_row(denoiser.forward)
    return True


def _row_by_row(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Runs the rows of a batch (the two guidance passes) one after the other, each with its own text's length."""

    def run(*, hidden_states: Tensor, encoder_hidden_states: Tensor, timestep: Tensor, **others: Any) -> Any:
        mask = others.pop("encoder_attention_mask")
        others.pop("return_dict", None)
        outs = []
        for row in range(len(hidden_states)):
            rows = slice(row, row + 1)
            length = prefix_length(mask[rows])
            if length is None:
                raise ValueError("a text's padding must stand at its end")
            outs.append(
                forward(
                    hidden_states=hidden_states[rows],
                    encoder_hidden_states=encoder_hidden_states[rows, :length],
                    timestep=timestep[rows],
                    encoder_attention_mask=mask[rows, :length],
                    return_dict=False,
                    **others,
                )[0]
            )
        return (torch.cat(outs),)

    return run


def _prepare_cogvideox(denoiser: Any) -> bool:
    for block in denoiser.transformer_blocks:
        block.attn1.processor = DispatchedCogVideoXProcessor()
    return False


_PREPARATIONS: dict[str, Callable[[Any], bool]] = {
    "HunyuanVideoTransformer3DModel": _prepare_hunyuan,
    "MochiTransformer3DModel": _prepare_mochi,
    "CogVideoXTransformer3DModel": _prepare_cogvideox,
    "WanTransformer3DModel": short_text.prepare,
}
