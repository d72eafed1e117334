"""Decoding with Wan's VAE, four frames at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

from models.placement.memory import STRIP_OVERLAP, strip_stride


def denormalise(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """From the denoiser's unit scale to the VAE's: per-channel mean and deviation of the VAE's configuration.

    The deviation enters as division by its reciprocal, as in the stock pipeline, which decides the last bit.
    """
    latents = latents.to(vae.device, vae.dtype)
    shape = (1, vae.config.z_dim, 1, 1, 1)
    mean = torch.tensor(vae.config.latents_mean).view(shape).to(latents.device, latents.dtype)
    reciprocal = 1.0 / torch.tensor(vae.config.latents_std).view(shape).to(latents.device, latents.dtype)
    return latents / reciprocal + mean


def stream_decode(vae: Any, latents: torch.Tensor, *, strips: int = 0) -> Iterator[torch.Tensor]:
    """Decodes (1, z_dim, f, h, w) to chunks (1, 3, 1 or 4, height, width) in [-1, 1], the first of one frame.

    The VAE is causal and decodes one latent frame at a time anyway, carrying its convolutions' last inputs; yielding
    each chunk instead of joining them all gives the same bits and holds four frames instead of the whole video. With
    tiling on, tiles span the whole length, so the video comes in one chunk; `strips` of the longer side are then
    decoded instead of the class's tiles: fewer pixels twice, in larger steps.
    """
    if _is_tiled(vae, latents):
        with _tiles(vae, _strip_tiles(vae, latents, strips) if strips else {}):
            whole = vae.decode(latents, return_dict=False)[0]
        yield whole
        return
    vae.clear_cache()
    try:
        hidden = vae.post_quant_conv(latents)
        for index in range(latents.shape[2]):
            vae._conv_idx = [0]
            chunk = vae.decoder(
                hidden[:, :, index : index + 1],
                feat_cache=vae._feat_map,
                feat_idx=vae._conv_idx,
                first_chunk=index == 0,
            )
            if vae.config.patch_size is not None:
                chunk = unpatchify(chunk, patch_size=vae.config.patch_size)
            yield torch.clamp(chunk, min=-1.0, max=1.0)
    finally:
        vae.clear_cache()


def _strip_tiles(vae: Any, latents: torch.Tensor, count: int) -> dict[str, int]:
    """The class's tile attributes, in pixels, that cut the longer side into strips and leave the other whole."""
    ratio = vae.spatial_compression_ratio
    cells = {"height": latents.shape[-2], "width": latents.shape[-1]}
    longer = max(cells, key=lambda side: cells[side])
    tiles = {}
    for side, length in cells.items():
        overlap = STRIP_OVERLAP // ratio if side == longer else 0
        pieces = count if side == longer else 1
        stride = strip_stride(length, pieces)
        tiles[f"tile_sample_min_{side}"] = (stride + overlap) * ratio
        tiles[f"tile_sample_stride_{side}"] = stride * ratio
    return tiles


@contextmanager
def _tiles(vae: Any, chosen: dict[str, int]) -> Iterator[None]:
    """Within the context the autoencoder has these tiles: its own encoding must not depend on what it decoded."""
    before = {name: getattr(vae, name) for name in chosen}
    try:
        for name, pixels in chosen.items():
            setattr(vae, name, pixels)
        yield
    finally:
        for name, pixels in before.items():
            setattr(vae, name, pixels)


def _is_tiled(vae: Any, latents: torch.Tensor) -> bool:
    """The VAE's own condition for `tiled_decode`."""
    height, width = latents.shape[-2:]
    ratio = vae.spatial_compression_ratio
    return bool(
        vae.use_tiling and (width > vae.tile_sample_min_width // ratio or height > vae.tile_sample_min_height // ratio)
    )
