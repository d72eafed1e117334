"""The video autoencoder: AutoencoderKLWan at a small size, with a whole-clip pass for training.

diffusers runs the encoder and decoder chunk by chunk with a cache of past frames. The same function without chunks is
a causal convolution over the whole clip, with two exceptions that `_resample` writes out: the first frame passes
temporal resampling untouched, and temporal upsampling never sees it.
"""

import math

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import (
    WanCausalConv3d,
    WanResample,
    WanResidualBlock,
    patchify,
    unpatchify,
)
from torch import Tensor, nn

PATCH = 2
"""Pixels a side that the autoencoder folds into channels before its first layer, as Wan 2.2's autoencoder does."""

LATENT_CHANNELS = 16
GPU_LAYOUT = torch.channels_last_3d
"""Memory layout in which the convolutions run on a GPU."""

PAST_TAP_SCALE = 0.1
RESIDUAL_SCALE = 0.2
INITIAL_LOG_VARIANCE = -7.0


def build_autoencoder() -> AutoencoderKLWan:
    """A fresh autoencoder: 4x8x8 compression, 16 latent channels, about 2 M parameters."""
    vae = AutoencoderKLWan(
        base_dim=24,
        decoder_base_dim=32,
        z_dim=LATENT_CHANNELS,
        dim_mult=[1, 2, 2],
        num_res_blocks=1,
        attn_scales=[],
        temperal_downsample=[True, True],
        in_channels=3 * PATCH * PATCH,
        out_channels=3 * PATCH * PATCH,
        patch_size=PATCH,
        scale_factor_temporal=4,
        scale_factor_spatial=8,
        latents_mean=[0.0] * LATENT_CHANNELS,
        latents_std=[1.0] * LATENT_CHANNELS,
    )
    initialise(vae)
    return vae


@torch.no_grad()
def initialise(vae: AutoencoderKLWan) -> None:
    """Start variance-preserving and almost per-frame: the default start of these causal convolutions trains badly."""
    for module in vae.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                module.bias.zero_()
        if isinstance(module, WanCausalConv3d) and module.kernel_size[0] == 3:
            module.weight[:, :, :-1] *= PAST_TAP_SCALE
            module.weight[:, :, -1] *= math.sqrt(3.0)
    for module in vae.modules():
        if isinstance(module, WanResidualBlock):
            module.conv2.weight *= RESIDUAL_SCALE
    vae.quant_conv.weight[LATENT_CHANNELS:] *= 0.1
    vae.quant_conv.bias[LATENT_CHANNELS:] = INITIAL_LOG_VARIANCE


def _spatial(layer: WanResample, x: Tensor) -> Tensor:
    batch, channels, frames, height, width = x.shape
    y = layer.resample(x.transpose(1, 2).reshape(batch * frames, channels, height, width))
    return torch.as_tensor(y.view(batch, frames, *y.shape[1:]).transpose(1, 2))


def _resample(layer: WanResample, x: Tensor) -> Tensor:
    if layer.mode == "upsample3d" and x.shape[2] > 1:
        later = layer.time_conv(x[:, :, 1:])
        batch, channels, frames, height, width = later.shape
        later = later.reshape(batch, 2, channels // 2, frames, height, width).permute(0, 2, 3, 1, 4, 5)
        x = torch.cat([x[:, :, :1], later.reshape(batch, channels // 2, 2 * frames, height, width)], dim=2)
    x = _spatial(layer, x)
    if layer.mode == "downsample3d" and x.shape[2] > 1:
        x = torch.cat([x[:, :, :1], layer.time_conv(x)], dim=2)
    return x


def _laid_out(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=GPU_LAYOUT) if x.is_cuda else x


def encode_clip(vae: AutoencoderKLWan, video: Tensor) -> tuple[Tensor, Tensor]:
    """Posterior mean and log-variance of whole clips, as `vae.encode` gives them.

    video: [B, 3, F, H, W] in -1..1, F = 4k + 1 -> two of [B, 16, k + 1, H / 8, W / 8].
    """
    encoder = vae.encoder
    x = encoder.conv_in(_laid_out(patchify(video, PATCH)))
    for layer in encoder.down_blocks:
        x = _resample(layer, x) if isinstance(layer, WanResample) else layer(x)
    x = encoder.conv_out(encoder.nonlinearity(encoder.norm_out(encoder.mid_block(x))))
    mean, log_variance = vae.quant_conv(x).chunk(2, dim=1)
    return mean, log_variance.clamp(-30, 20)


def decode_clip(vae: AutoencoderKLWan, latents: Tensor) -> Tensor:
    """Whole clips from un-normalised latents, as `vae.decode` without its final clamp.

    latents: [B, 16, k + 1, h, w] -> [B, 3, 4k + 1, 8h, 8w].
    """
    decoder = vae.decoder
    x = decoder.mid_block(decoder.conv_in(_laid_out(vae.post_quant_conv(latents))))
    for block in decoder.up_blocks:
        for resnet in block.resnets:
            x = resnet(x)
        if block.upsamplers is not None:
            x = _resample(block.upsamplers[0], x)
    x = decoder.conv_out(decoder.nonlinearity(decoder.norm_out(x)))
    return torch.as_tensor(unpatchify(x, PATCH))


def latent_statistics(vae: AutoencoderKLWan) -> tuple[Tensor, Tensor]:
    """The mean and standard deviation that normalise latents, each [1, 16, 1, 1, 1], from the autoencoder's config."""
    device = next(vae.parameters()).device
    mean = torch.tensor(vae.config.latents_mean, device=device).view(1, -1, 1, 1, 1)
    std = torch.tensor(vae.config.latents_std, device=device).view(1, -1, 1, 1, 1)
    return mean, std


def normalised_latents(vae: AutoencoderKLWan, video: Tensor) -> Tensor:
    """The latents a diffusion model of this autoencoder works on, [B, 16, k + 1, H / 8, W / 8] float32."""
    mean, std = latent_statistics(vae)
    return (encode_clip(vae, video)[0].float() - mean) / std
