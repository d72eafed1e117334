"""The two attention mechanisms of HoloCine, as processors for diffusers' Wan attention layers. No parameters.

Video tokens are ordered by latent frame, T = height/16 * width/16 tokens each; a shot is a run of latent frames.
Each shot's queries attend to that shot's keys in a call of their own, so memory grows with the number of tokens:
there is never a mask of tokens x tokens.

Tensors are [batch, tokens, heads, head_dim] unless said otherwise.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from torch import Tensor

from models.holocine.errors import ShotError, ShotLayoutMissing
from models.holocine.layout import Run, ShotLayout

Attend = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
"""Attention of (query, key, value, mask or None), [batch, tokens, heads, head_dim]."""


@dataclass
class ShotState:
    """What the processors of one transformer share: the layouts of the forward pass under way.

    `window` is False in the negative pass: its text is seen whole, while the sparse self-attention stays on.
    """

    layouts: tuple[ShotLayout, ...] | None = None
    window: bool = True

    def require(self, batch_size: int, num_tokens: int) -> tuple[ShotLayout, ...]:
        """One layout a sample; a single one serves the whole batch.

        Raises:
            ShotLayoutMissing: outside `use_shots`.
            ShotError: layouts that do not fit the tensors.
        """
        if self.layouts is None:
            raise ShotLayoutMissing("call the transformer inside `use_shots`")
        layouts = self.layouts * batch_size if len(self.layouts) == 1 else self.layouts
        if len(layouts) != batch_size:
            raise ShotError(f"{len(layouts)} shot layouts for a batch of {batch_size}")
        for layout in layouts:
            if num_tokens % len(layout.shot_of_latent_frame):
                raise ShotError(f"{num_tokens} video tokens are no {len(layout.shot_of_latent_frame)} latent frames")
        return layouts


def sparse_shot_attention(query: Tensor, key: Tensor, value: Tensor, layout: ShotLayout, attend: Attend) -> Tensor:
    """Each shot attends to itself and to the first latent frame of every shot (section 6).

    Its own first frame is among the latter and so counts twice, as in training, even with one shot. Query and key are
    rotated already, by their positions in the whole video.
    """
    tokens_per_frame = query.shape[1] // len(layout.shot_of_latent_frame)
    bounds = [(run.start * tokens_per_frame, run.end * tokens_per_frame) for run in layout.runs()]

    def with_first_frames(tensor: Tensor, start: int, end: int) -> Tensor:
        first_frames = [tensor[:, a : a + tokens_per_frame] for a, _ in bounds]
        return torch.cat([tensor[:, start:end], *first_frames], dim=1)

    outputs = [
        attend(query[:, a:b], with_first_frames(key, a, b), with_first_frames(value, a, b), None) for a, b in bounds
    ]
    return torch.cat(outputs, dim=1)


def window_cross_attention(
    query: Tensor, key: Tensor, value: Tensor, layouts: Sequence[ShotLayout], attend: Attend
) -> Tensor:
    """Each shot attends to the global caption, its own caption and the padding (section 5).

    `key` and `value` are the text's, [batch, length, heads, head_dim]; `layouts` one a sample, all with the same shots.
    """
    tokens_per_frame = query.shape[1] // len(layouts[0].shot_of_latent_frame)
    outputs = []
    for run in layouts[0].runs():
        own = query[:, run.start * tokens_per_frame : run.end * tokens_per_frame]
        outputs.append(_attend_visible(own, key, value, _visible(layouts, run, key.shape[1]), attend))
    return torch.cat(outputs, dim=1)


def _visible(layouts: Sequence[ShotLayout], run: Run, length: int) -> list[tuple[tuple[int, int], ...]]:
    return [layout.visible_text(run.shot, length) for layout in layouts]


def _attend_visible(
    query: Tensor, key: Tensor, value: Tensor, visible: list[tuple[tuple[int, int], ...]], attend: Attend
) -> Tensor:
    if all(each == visible[0] for each in visible):
        # The same text for all samples: leave the hidden keys out, which keeps the unmasked kernels.
        parts = visible[0]
        return attend(query, _gather(key, parts), _gather(value, parts), None)
    mask = torch.zeros(len(visible), 1, 1, key.shape[1], dtype=torch.bool)
    for row, parts in enumerate(visible):
        for start, end in parts:
            mask[row, ..., start:end] = True
    return attend(query, key, value, mask.to(query.device))


def _gather(tensor: Tensor, parts: Sequence[tuple[int, int]]) -> Tensor:
    if parts == ((0, tensor.shape[1]),):
        return tensor
    return torch.cat([tensor[:, a:b] for a, b in parts], dim=1)


def _same_shots(layouts: Sequence[ShotLayout]) -> Iterator[list[int]]:
    """Rows of the batch whose videos are cut alike."""
    rows: dict[tuple[int, ...], list[int]] = {}
    for row, layout in enumerate(layouts):
        rows.setdefault(layout.shot_of_latent_frame, []).append(row)
    yield from rows.values()


def _by_shots(query: Tensor, layouts: Sequence[ShotLayout], attend_rows: Callable[[Any], Tensor]) -> Tensor:
    """Runs `attend_rows` once for all rows cut alike; videos of a batch may be cut differently."""
    groups = list(_same_shots(layouts))
    if len(groups) == 1:
        return attend_rows(slice(None))
    outputs = torch.cat([attend_rows(rows) for rows in groups])
    order = [row for rows in groups for row in rows]
    return outputs[torch.tensor(order, device=query.device).argsort()]


class _ShotProcessor:
    """Base of the processors. diffusers sets `_attention_backend` and `_parallel_config` from outside."""

    _attention_backend: Any = None
    _parallel_config: Any = None

    def __init__(self, state: ShotState) -> None:
        self.state = state

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        out: Tensor = dispatch_attention_fn(query, key, value, attn_mask=mask, backend=self._attention_backend)
        return out

    def _require_whole_sequence(self) -> None:
        if self._parallel_config is not None:
            raise ShotError("shots cannot be told apart in a part of the sequence: no context parallelism")


class SparseShotAttnProcessor(_ShotProcessor):
    """Self-attention (`attn1`) of the sparse variant."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        _encoder_hidden_states: Tensor | None = None,
        _attention_mask: Tensor | None = None,
        rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Returns [batch, tokens, dim], as the stock processor."""
        self._require_whole_sequence()
        query, key, value = project_heads(attn, hidden_states, hidden_states)
        if rotary_emb is not None:
            query, key = rotate(query, *rotary_emb), rotate(key, *rotary_emb)
        layouts = self.state.require(*query.shape[:2])

        def attend_rows(rows: Any) -> Tensor:
            layout = layouts[0] if isinstance(rows, slice) else layouts[rows[0]]
            return sparse_shot_attention(query[rows], key[rows], value[rows], layout, self._attend)

        return merge_heads(attn, _by_shots(query, layouts, attend_rows))


class WindowCrossAttnProcessor(_ShotProcessor):
    """Cross-attention (`attn2`) of both variants; ordinary cross-attention in the negative pass."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        _attention_mask: Tensor | None = None,
        _rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Returns [batch, tokens, dim], as the stock processor."""
        self._require_whole_sequence()
        query, key, value = project_heads(attn, hidden_states, encoder_hidden_states)
        layouts = self.state.require(*query.shape[:2])
        if not self.state.window or all(layout.text is None for layout in layouts):
            return merge_heads(attn, self._attend(query, key, value, None))

        def attend_rows(rows: Any) -> Tensor:
            own = layouts if isinstance(rows, slice) else [layouts[row] for row in rows]
            return window_cross_attention(query[rows], key[rows], value[rows], own, self._attend)

        return merge_heads(attn, _by_shots(query, layouts, attend_rows))


def project_heads(attn: Any, hidden_states: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Query of the video tokens, key and value of `context`; query and key RMS-normed over all heads together."""
    query, key, value = attn.norm_q(attn.to_q(hidden_states)), attn.norm_k(attn.to_k(context)), attn.to_v(context)
    heads = (attn.heads, -1)
    return query.unflatten(2, heads), key.unflatten(2, heads), value.unflatten(2, heads)


def merge_heads(attn: Any, hidden_states: Tensor) -> Tensor:
    """Output projection of [batch, tokens, heads, head_dim] -> [batch, tokens, dim]."""
    out: Tensor = attn.to_out[1](attn.to_out[0](hidden_states.flatten(2, 3)))
    return out


def rotate(tensor: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of interleaved pairs; `cos`, `sin` [1, tokens, 1, head_dim] hold each angle twice, float64."""
    even, odd = tensor.reshape(*tensor.shape[:-1], -1, 2).unbind(-1)
    cos, sin = cos[..., 0::2], sin[..., 1::2]
    rotated = (even * cos - odd * sin).type_as(tensor), (even * sin + odd * cos).type_as(tensor)
    return torch.stack(rotated, dim=-1).flatten(-2)
