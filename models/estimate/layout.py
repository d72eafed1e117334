"""How the GPUs of a slot share one video."""

from typing import NamedTuple

from models.catalog import ModelSpec
from models.estimate.denoiser import num_tokens
from models.estimate.flops import forwards_per_step
from models.estimate.work import Work, generations, latent_grid


class Layout(NamedTuple):
    """``cfg``: the two guidance passes run side by side (2) or one after the other (1). ``ulysses``: GPUs that share
    out the attention heads of one pass. ``gpus`` of the slot work on the denoising; any others wait."""

    cfg: int
    ulysses: int

    @property
    def gpus(self) -> int:
        return self.cfg * self.ulysses


def layout(spec: ModelSpec, work: Work, gpus: int) -> Layout:
    """The widest layout of at most ``gpus`` GPUs: the guidance passes first, since splitting them moves the fewest
    bytes, then the heads, where the model's class can be split, and heads and tokens come out even."""
    tokens = [num_tokens(spec.arch.denoiser, latent_grid(spec, work, frames)) for frames in generations(spec, work)]
    cfg = 2 if gpus >= 2 and forwards_per_step(spec, work) == 2 else 1
    heads = spec.arch.context_parallel_heads
    ulysses = 1
    while heads and _come_out_even(2 * ulysses, heads, *tokens) and cfg * 2 * ulysses <= gpus:
        ulysses *= 2
    return Layout(cfg=cfg, ulysses=ulysses)


def _come_out_even(shares: int, *counts: int) -> bool:
    return all(count % shares == 0 for count in counts)
