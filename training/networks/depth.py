"""Denoisers of another depth than the one they were trained at, as parameters by name."""

import re
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

_BLOCK: Final = re.compile(r"blocks\.(\d+)\.(.+)")
_LAST_PROJECTIONS: Final = ("attn1.to_out.0", "attn2.to_out.0", "ffn.net.2")
"""Of a block's three parts; a block in which they are zero passes on what it is given."""


def depth_of(state: Mapping[str, Tensor]) -> int:
    """The number of blocks."""
    return 1 + max(int(found[1]) for name in state if (found := _BLOCK.fullmatch(name)))


def with_depth(state: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The same denoiser with so many blocks.

    Deeper: the last block again and again, passing on what it is given, so that the function is the same. Shallower:
    blocks at even distances, the first and the last among them; it has to learn anew what the others did.
    """
    before = depth_of(state)
    kept = range(before) if layers >= before else _evenly(before, layers)
    sources = [*kept, *[before - 1] * (layers - len(kept))]
    changed = {name: value for name, value in state.items() if not _BLOCK.fullmatch(name)}
    for place, source in enumerate(sources):
        for name, value in state.items():
            found = _BLOCK.fullmatch(name)
            if found and int(found[1]) == source:
                passes_on = place >= before and found[2].rpartition(".")[0] in _LAST_PROJECTIONS
                changed[f"blocks.{place}.{found[2]}"] = torch.zeros_like(value) if passes_on else value
    return changed


def _evenly(before: int, layers: int) -> list[int]:
    return [round(place * (before - 1) / max(1, layers - 1)) for place in range(layers)]
