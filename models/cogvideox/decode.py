"""Decoding with CogVideoX's VAE, a few latent frames at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch


def denormalise(pipe: Any, latents: torch.Tensor, num_frames: int) -> torch.Tensor:
    """From the denoiser's layout (1, f, c, h, w) and scale to the VAE's (1, c, f, h, w).

    Models that patch time too (CogVideoX 1.5) put padding frames in front; they are dropped here, as the stock
    pipeline does before it decodes.
    """
    latent_frames = (num_frames - 1) // pipe.vae_scale_factor_temporal + 1
    patch_size_t = pipe.transformer.config.patch_size_t
    padding = -latent_frames % patch_size_t if patch_size_t is not None else 0
    scale = 1 / float(pipe.vae_scaling_factor_image)
    return scale * latents[:, padding:].permute(0, 2, 1, 3, 4)


def stream_decode(vae: Any, latents: torch.Tensor) -> Iterator[torch.Tensor]:
    """Decodes (1, c, f, h, w) to chunks (1, 3, frames, height, width) in [-1, 1].

    The VAE decodes `num_latent_frames_batch_size` latent frames at a time, the odd ones with the first batch, and
    carries its convolutions' last inputs from one to the next: the chunks are yielded instead of joined. With tiling
    on, tiles span the whole length, so the video comes in one chunk.
    """
    height, width = latents.shape[-2:]
    if vae.use_tiling and (width > vae.tile_latent_min_width or height > vae.tile_latent_min_height):
        yield vae.decode(latents).sample
        return
    conv_cache = None
    for batch in _batches(latents, vae.num_latent_frames_batch_size):
        hidden = batch if vae.post_quant_conv is None else vae.post_quant_conv(batch)
        chunk, conv_cache = vae.decoder(hidden, conv_cache=conv_cache)
        yield chunk


def _batches(latents: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
    frames = latents.shape[2]
    start = 0
    for end in range(frames - (max(frames // size, 1) - 1) * size, frames + 1, size):
        yield latents[:, :, start:end]
        start = end
