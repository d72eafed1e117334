"""Wan's two guidance passes compute the same until a text is first looked at: the self-attention of the first block.

Both are given one tensor of latents, so what the first of them attended to serves the second, to the bit. Of a network
of 40 blocks that is some 0.7% of a guided step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from models.speed.compiling import Compiled


def share(denoiser: Any) -> None:
    """Has `denoiser`'s first block keep its self-attention for the pass that follows on the same latents; nothing for
    other classes than the stock Wan network. Takes the memory of one hidden state from one pass to the next.

    After `models.speed.tiers.accelerate`, and only where the blocks stay on the device.
    """
    if type(denoiser).__name__ != "WanTransformer3DModel":
        return
    block = denoiser.blocks[0]
    halves = Halves(block, block.forward)
    block.forward = halves
    forward = denoiser.forward

    def shared(*, hidden_states: Tensor, timestep: Tensor, **others: Any) -> Any:
        halves.begin(hidden_states, timestep)
        return forward(hidden_states=hidden_states, timestep=timestep, **others)

    denoiser.forward = shared


class _Given(NamedTuple):
    """What a pass is given, and how often that had been written to."""

    latents: Tensor
    timestep: Tensor
    writes: int


class _Kept(NamedTuple):
    """What is left for the pass after it; not the latents, which would never go then."""

    attended: Tensor
    timestep: Tensor
    writes: int


class Halves:
    """The forward of a Wan block in two: its self-attention, and the rest. Compiled where the whole was; the cut lies
    where a product's result is written to memory anyway, so that the compiler makes the same kernels of both."""

    def __init__(self, block: nn.Module, whole: Callable[..., Any]) -> None:
        self._block = block
        self._attend: Callable[..., Tensor] = _self_attention
        self._finish: Callable[..., Tensor] = _after_self_attention
        if isinstance(whole, Compiled):
            self._attend, self._finish = whole.like(_self_attention), whole.like(_after_self_attention)
        # By the latents, which go when a step is over: nothing outlives the step it was computed for.
        self._kept = WeakTensorKeyDictionary()
        self._given: _Given | None = None

    def begin(self, latents: Tensor, timestep: Tensor) -> None:
        """A pass over `latents` begins."""
        # Inference tensors do not count what is written to them.
        counted = not (latents.is_inference() or timestep.is_inference())
        self._given = _Given(latents, timestep, latents._version + timestep._version) if counted else None

    def __call__(self, hidden_states: Tensor, encoder_hidden_states: Tensor, temb: Tensor, rotary_emb: Any) -> Tensor:
        """As `WanTransformerBlock.forward`."""
        given, self._given = self._given, None
        attended = None if given is None else self._take(given)
        if attended is None:
            attended = self._attend(self._block, hidden_states, temb, rotary_emb)
            if given is not None:
                self._kept[given.latents] = _Kept(attended, given.timestep, given.writes)
        return self._finish(self._block, hidden_states, attended, encoder_hidden_states, temb)

    def _take(self, given: _Given) -> Tensor | None:
        """What the pass before kept, if it was given the same tensors and nothing was written to them since."""
        if given.latents not in self._kept:
            return None
        kept: _Kept = self._kept[given.latents]
        del self._kept[given.latents]
        same = kept.timestep is given.timestep and kept.writes == given.writes
        return kept.attended if same else None


def _self_attention(block: Any, hidden_states: Tensor, temb: Tensor, rotary_emb: Any) -> Tensor:
    """[batch, tokens, dim], before its gate."""
    shift, scale, *_ = _modulation(block, temb)
    normed = (block.norm1(hidden_states.float()) * (1 + scale) + shift).type_as(hidden_states)
    attended: Tensor = block.attn1(normed, None, None, rotary_emb)
    return attended


def _after_self_attention(
    block: Any, hidden_states: Tensor, attended: Tensor, encoder_hidden_states: Tensor, temb: Tensor
) -> Tensor:
    """The block's output [batch, tokens, dim]: gate, attention to the text, feed-forward."""
    _, _, gate, feed_shift, feed_scale, feed_gate = _modulation(block, temb)
    hidden = (hidden_states.float() + attended * gate).type_as(hidden_states)
    normed = block.norm2(hidden.float()).type_as(hidden)
    hidden = hidden + block.attn2(normed, encoder_hidden_states, None, None)
    normed = (block.norm3(hidden.float()) * (1 + feed_scale) + feed_shift).type_as(hidden)
    fed = block.ffn(normed)  # before anything wide is made for the sum
    out: Tensor = (hidden.float() + fed.float() * feed_gate).type_as(hidden)
    return out


def _modulation(block: Any, temb: Tensor) -> list[Tensor]:
    """Shift, scale and gate of both residuals, from `temb` [batch, 6, dim], or [batch, tokens, 6, dim] where each token
    has a time of its own."""
    table = block.scale_shift_table + temb.float()
    return [each.squeeze(-2) if temb.ndim == 4 else each for each in table.chunk(6, dim=-2)]
