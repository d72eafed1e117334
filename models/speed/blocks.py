"""The repeated blocks of a denoiser: what is compiled, quantised and streamed."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

# Attributes of the stock classes that hold them, in the order in which a forward runs through them.
_LISTS = ("blocks", "transformer_blocks", "single_transformer_blocks")


def blocks_of(denoiser: nn.Module) -> list[nn.Module]:
    """The blocks in the order of execution. Raises `TypeError` for a network that has none."""
    found = [block for name in _LISTS for block in getattr(denoiser, name, ())]
    if not found:
        raise TypeError(f"{type(denoiser).__name__} has none of {', '.join(_LISTS)}")
    return found


def outside_of(denoiser: nn.Module) -> Iterator[nn.Module]:
    """The children that are not lists of blocks: embeddings, norms, heads."""
    for name, child in denoiser.named_children():
        if name not in _LISTS:
            yield child
