"""The two tiers, applied to a loaded denoiser.

exact: bfloat16, and only changes that are equal within its rounding: compiled blocks, fused kernels and the best
attention kernel that pass the gates, text without padding. fast: besides, linear layers in fp8 or int8, quantised
attention where a kernel of the kind is installed and passes its wider gate, and steps that change little taken from
the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from models.placement.plan import Tier
from models.speed import attention, fusing, trimming
from models.speed.compiling import compile_blocks
from models.speed.quantised import Format, quantise
from models.speed.step_cache import THRESHOLD

# Their attention asks in Python which token belongs to which shot: no single graph.
_NOT_ONE_GRAPH = frozenset({"HoloCineTransformer3DModel"})


@dataclass(frozen=True, kw_only=True)
class Acceleration:
    """What is done to a denoiser. `linears` None leaves them in bfloat16; `kernel` is the attention's name;
    `step_cache` is a threshold of `models.speed.step_cache`, None where every step is computed."""

    kernel: str = attention.STOCK
    trimmed: bool = False
    compiled: bool = False
    fused: bool = False
    linears: Format | None = None
    step_cache: float | None = None

    @property
    def numerics(self) -> dict[str, Any]:
        """What of it decides the bits."""
        return {
            "attention": self.kernel,
            "trimmed": self.trimmed,
            "compiled": self.compiled,
            "fused": self.fused,
            "linears": self.linears or "bfloat16",
            "step_cache": self.step_cache,
        }


NONE = Acceleration()
"""Stock: what runs on a CPU, and what the others are compared with."""


def acceleration(tier: Tier, device: torch.device, *, head_dim: int, linears: Format | None) -> Acceleration:
    """What a tier means on `device`; nothing but the linears' format on a CPU."""
    if device.type != "cuda":
        return Acceleration(linears=linears)
    kernel = attention.choose(tier, device, head_dim=head_dim)
    step_cache = THRESHOLD if tier == "fast" else None
    return Acceleration(
        kernel=kernel,
        trimmed=True,
        compiled=True,
        fused=fusing.admitted(device),
        linears=linears,
        step_cache=step_cache,
    )


def accelerate(denoiser: nn.Module, chosen: Acceleration, *, compute: torch.device | None = None) -> None:
    """Applies `chosen` to a network that is loaded, on the host or the GPU. Streaming comes after this, and after that
    the step cache, which must be outermost: a block that does not run need not be there.

    `compute` is where weights are quantised, if not where they lie.
    """
    open_length = trimming.prepare(denoiser) if chosen.trimmed else False
    if chosen.fused:
        fusing.fuse(denoiser)
    if chosen.kernel != attention.STOCK:
        attention.use(denoiser, chosen.kernel)
    if chosen.linears is not None:
        quantise(denoiser, chosen.linears, compute=compute)
    if chosen.compiled:
        full_graph = type(denoiser).__name__ not in _NOT_ONE_GRAPH
        compile_blocks(denoiser, full_graph=full_graph, dynamic=None if open_length else False)
