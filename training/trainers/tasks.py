"""The denoisers to train: what each expert sees and which noise it is for."""

from dataclasses import dataclass, replace
from typing import Final, Literal

import torch
from torch import Tensor

from training.data.kinds import SCENES, STORIES
from training.data.stream import ClipKind

Expert = Literal["high", "low"]

OVERLAP: Final = 0.012
"""Noise beyond the boundary that an expert is trained on too, so that it is not used at the edge of what it knows."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A denoiser's training task.

    sparse_share: share of batches with sparse inter-shot attention instead of dense self-attention.
    boundary: noise level from which the high-noise expert is used; shift: of the flow-matching schedule it is made for.
    """

    checkpoint: str
    kinds: tuple[tuple[ClipKind, float], ...]
    boundary: float
    shift: float
    image: bool = False
    stories: bool = False
    sparse_share: float = 0.0
    padded_lengths: tuple[int, ...] = (64, 128, 226, 512)


TASKS: Final[dict[str, Task]] = {
    "t2v": Task(checkpoint="wan-mini", kinds=SCENES, boundary=0.875, shift=5.0),
    "i2v": Task(checkpoint="wan-mini-i2v", kinds=SCENES, boundary=0.9, shift=5.0, image=True),
    "holocine": Task(
        checkpoint="holocine-mini",
        kinds=STORIES,
        boundary=0.875,
        shift=5.0,
        stories=True,
        sparse_share=0.5,
        padded_lengths=(256, 512),
    ),
}
"""Name on the command line -> task. Boundaries are those of the large models each one stands for; the shift is that at
which the trained models follow their prompts best in 12 steps (of 3, 5 and 8)."""


def shifted(position: Tensor, shift: float) -> Tensor:
    """Noise level at a position 0..1 of a schedule with the given shift."""
    return shift * position / (1 + (shift - 1) * position)


def unshifted(sigma: float, shift: float) -> float:
    """Position of a noise level; the inverse of `shifted`."""
    return sigma / (shift - (shift - 1) * sigma)


def sample_sigma(task: Task, expert: Expert, batch: int, device: torch.device) -> Tensor:
    """Noise levels of a batch, [B]: even over the expert's part of the shifted schedule, stratified over the batch."""
    edge = task.boundary - OVERLAP if expert == "high" else task.boundary + OVERLAP
    middle = unshifted(edge, task.shift)
    low, high = (middle, 1.0) if expert == "high" else (0.0, middle)
    even = (torch.arange(batch, device=device) + torch.rand(batch, device=device)) / batch
    return shifted(low + (high - low) * even, task.shift)


def tiny(task: Task) -> Task:
    """The task on clips of a few pixels and frames: for a run of a few steps on a CPU."""
    small = ClipKind(frames=5, height=32, width=32)
    cut = ClipKind(frames=9, height=32, width=32, starts=(0, 5))
    return replace(task, kinds=((cut if task.stories else small, 1.0),))
