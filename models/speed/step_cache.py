"""Steps that change little are not computed: where a denoiser's first block gives nearly what it gave one step before,
what the other blocks added then is added again.

diffusers' first block cache (https://github.com/chengzeyi/ParaAttention, after https://arxiv.org/abs/2411.19108). The
result differs from that of every step computed, so it belongs to the fast tier. A run that is resumed computes its
first step: it is not that of an uninterrupted one to the bit.
"""

from __future__ import annotations

from typing import Any

from diffusers import FirstBlockCacheConfig

THRESHOLD = 0.05
"""Relative change of the first block's addition under which a step is not computed. Judged on the trained mini model by
`make bench-quality`: docs/desempenho.md."""

# Mochi's two guidance passes go through it row by row under one name: each would be told what the other added.
# HoloCine's blocks were never tried. In the stock pipelines of the others each pass has a context of its own.
CACHED = frozenset(
    {
        "WanTransformer3DModel",
        "HunyuanVideoTransformer3DModel",
        "CogVideoXTransformer3DModel",
        "LTXVideoTransformer3DModel",
    }
)


def cache_steps(denoiser: Any, threshold: float) -> None:
    """Puts the cache around the blocks, whatever is around them already; nothing for a class that is not cached."""
    if type(denoiser).__name__ in CACHED:
        denoiser.enable_cache(FirstBlockCacheConfig(threshold=threshold))


def forget_steps(denoiser: Any) -> None:
    """Before a video's (or shot's) first step: what another one's last step gave is of no use to it."""
    if getattr(denoiser, "is_cache_enabled", False):
        denoiser._reset_stateful_cache()
