"""Attention biases: padding that is counted but not computed, windows of multi-shot prompts, sparse attention."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

PADDED_LENGTH = 512
"""Text positions WanPipeline attends over, padding included."""

NOT_SEEN = -1e4


def padding_bias(lengths: Tensor, positions: int, padded_length: int | Tensor = PADDED_LENGTH) -> Tensor:
    """Bias over text positions, [B, positions], that equals attention over `padded_length` zero-padded positions.

    The padding embeddings are all zero, so their keys and values are equal: one of them with log(count) added to its
    logit weighs as much as all. lengths: [B], tokens of each text, all smaller than `positions`.
    """
    places = torch.arange(positions, device=lengths.device)
    bias = torch.where(places < lengths[:, None], 0.0, NOT_SEEN)
    count = (padded_length - lengths).clamp(min=1).float().log()
    return torch.where(places == lengths[:, None], count[:, None], bias)


@dataclass(frozen=True, kw_only=True)
class PromptRanges:
    """Half-open token ranges of a structured prompt: the global caption and each shot's caption."""

    whole: tuple[int, int]
    shots: tuple[tuple[int, int], ...]


def prompt_ranges(ids: Sequence[int], shots_marker: int, cut_marker: int, end: int = 1) -> PromptRanges:
    """Ranges of a tokenized structured prompt that begins with the global marker.

    A shot owns the separator that follows it, and shot 0 the `[per shot caption]` marker.
    """
    ids = list(ids)
    first, last = ids.index(shots_marker), ids.index(end)
    ends = [i + 1 for i, token in enumerate(ids[:last]) if token == cut_marker] + [last]
    starts = [first, *ends[:-1]]
    return PromptRanges(whole=(0, first), shots=tuple(zip(starts, ends, strict=True)))


def window_visible(ranges: PromptRanges, length: int) -> Tensor:
    """Which text positions each shot sees, bool [shots, length].

    Each range reaches one token too far, as in the model this follows: upper ends are inclusive. Everything after the
    prompt's last range (the padding) is seen by all; the end token only by the last shot, through that extra token.
    """
    visible = torch.zeros(len(ranges.shots), length, dtype=torch.bool)
    last = max(ranges.whole[1], *(end for _, end in ranges.shots))
    for shot, (start, end) in enumerate(ranges.shots):
        visible[shot, ranges.whole[0] : ranges.whole[1] + 1] = True
        visible[shot, start : end + 1] = True
        visible[shot, last + 1 :] = True
    return visible


def window_bias(padding: Tensor, visible: Tensor, shot_of_frame: Tensor, tokens_per_frame: int) -> Tensor:
    """Cross-attention bias of a batch, [B, 1, N, L].

    padding: [B, L] from `padding_bias`; visible: bool [B, shots, L]; shot_of_frame: [F] shot index of latent frames.
    """
    seen = visible[:, shot_of_frame]
    bias = torch.where(seen, padding[:, None], NOT_SEEN)
    return bias.repeat_interleave(tokens_per_frame, dim=1)[:, None]


def shot_of_latent_frame(starts: Sequence[int], frames: int) -> Tensor:
    """Shot index of each latent frame, [F]; starts are pixel frames of the form 4t + 1, or 0."""
    latent_starts = [0 if start <= 0 else (start - 1) // 4 + 1 for start in starts]
    positions = torch.arange((frames - 1) // 4 + 1)
    return torch.stack([positions >= start for start in latent_starts]).sum(0) - 1


def sparse_bias(shot_of_frame: Tensor, tokens_per_frame: int) -> Tensor:
    """Self-attention bias of sparse inter-shot attention, [1, 1, N, N].

    A token sees its shot and the first latent frame of every shot; its own shot's first frame counts twice (+ log 2).
    """
    same = shot_of_frame[:, None] == shot_of_frame[None, :]
    first = torch.ones_like(shot_of_frame, dtype=torch.bool)
    first[1:] = shot_of_frame[1:] != shot_of_frame[:-1]
    bias = torch.where(same | first[None, :], 0.0, NOT_SEEN)
    bias = torch.where(same & first[None, :], math.log(2.0), bias)
    return bias.repeat_interleave(tokens_per_frame, 0).repeat_interleave(tokens_per_frame, 1)[None, None]
