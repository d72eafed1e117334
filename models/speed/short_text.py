"""Wan's cross-attention over its text without most of the padding.

`WanPipeline` pads a text's embeddings with zeros to 512 and hides none of them: every video token attends to some 450
equal keys. Equal keys with equal values weigh as one whose score is larger by the logarithm of their number, so a few
of them, with that added, give the same sums in another order (equal within rounding, tested).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from diffusers.models.transformers.transformer_wan import WanAttnProcessor
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.weak import WeakTensorKeyDictionary

LENGTHS = (64, 128)
"""Text positions that are computed: the first of these that has room for padding, so that there are so many compiled
shapes and no more, whatever prompts come. With 256, our kernel is no faster than the others with all 512."""


class Padding:
    """What the processors of one network must know of the text that is being attended to."""

    def __init__(self) -> None:
        self.bias: Tensor | None = None
        self._found = WeakTensorKeyDictionary()

    def shorten(self, text: Tensor) -> Tensor:
        """The first positions of `text` [batch, tokens, dim], zero beyond its words; the rest stands in the bias from
        now on. A text without room to spare, or one of a batch, stays as it is.

        A text is looked at once, however many steps it comes with: the GPU must be waited for to know its length.
        """
        if text not in self._found:
            self._found[text] = _bias_of(text)
        self.bias = self._found[text]
        return text if self.bias is None else text[:, : len(self.bias)]


def _bias_of(text: Tensor) -> Tensor | None:
    """What is to be added to the scores of the positions that are computed; None where all are."""
    words = text[0].any(dim=-1)
    count, tokens = int(words.sum()), text.shape[1]
    length = next((length for length in LENGTHS if count < length < tokens), None)
    if length is None or len(text) > 1 or not bool(words[:count].all()):
        return None
    bias = torch.zeros(length, device=text.device)
    bias[count:] = math.log((tokens - count) / (length - count))
    return bias


class ShortTextProcessor(WanAttnProcessor):  # type: ignore[misc]  # diffusers has no types
    """Cross-attention of a Wan block; `fused` takes our kernel for it."""

    def __init__(self, padding: Padding) -> None:
        super().__init__()
        self.padding = padding
        self.fused = False

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Any:
        bias = self.padding.bias
        if bias is None or encoder_hidden_states is None:
            return super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask, rotary_emb)
        heads = (attn.heads, -1)
        query = attn.norm_q(attn.to_q(hidden_states)).unflatten(2, heads)
        key = attn.norm_k(attn.to_k(encoder_hidden_states)).unflatten(2, heads)
        value = attn.to_v(encoder_hidden_states).unflatten(2, heads)
        attend = biased_attention if self.fused else plain_biased_attention
        out = attend(query, key, value, bias)
        return attn.to_out[1](attn.to_out[0](out.flatten(2, 3).type_as(query)))


def prepare(denoiser: Any) -> bool:
    """Gives every cross-attention of a Wan network the processor above. Returns whether lengths should be left open to
    the compiler: no."""
    padding = Padding()
    for block in denoiser.blocks:
        if type(block.attn2.processor) is WanAttnProcessor and block.attn2.add_k_proj is None:
            block.attn2.processor = ShortTextProcessor(padding)
    forward = denoiser.forward

    def shortened(*, encoder_hidden_states: Tensor, **others: Any) -> Any:
        return forward(encoder_hidden_states=padding.shorten(encoder_hidden_states), **others)

    denoiser.forward = shortened
    return False


def fuse(module: nn.Module) -> None:
    """Has a module's processor, if it is one of these, take our kernel."""
    processor = getattr(module, "processor", None)
    if isinstance(processor, ShortTextProcessor):
        processor.fused = True


# A custom operator: torch.compile takes it as it is. On a CPU it is the plain expression.
@torch.library.custom_op("revalida::biased_attention", mutates_args=(), device_types="cuda")
def biased_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Attention of `query` [batch, tokens, heads, head_dim] to a few keys, with `bias` [keys] on each key's scores."""
    from models.speed import kernels

    return kernels.biased_attention(query, key, value, bias)


@biased_attention.register_kernel("cpu")
def plain_biased_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """The same by torch's own operations."""
    queries, keys, values = (each.transpose(1, 2) for each in (query, key, value))
    mask = bias.to(query.dtype).expand(1, 1, query.shape[1], -1)
    out = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    return out.transpose(1, 2).contiguous()


@biased_attention.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:  # noqa: ARG001
    return torch.empty_like(query, memory_format=torch.contiguous_format)
