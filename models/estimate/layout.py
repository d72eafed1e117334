"""How the GPUs of a slot share one video."""

from typing import NamedTuple

from models.catalog import ModelSpec
from models.estimate.flops import forwards_per_step
from models.estimate.work import Work


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
    bytes, then the heads, where the model's class can be split and the heads come out even."""
    cfg = 2 if gpus >= 2 and forwards_per_step(spec, work) == 2 else 1
    heads = spec.arch.context_parallel_heads
    ulysses = 1
    while heads and heads % (2 * ulysses) == 0 and cfg * 2 * ulysses <= gpus:
        ulysses *= 2
    return Layout(cfg=cfg, ulysses=ulysses)
