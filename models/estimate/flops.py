"""The arithmetic of a request, by part."""

from typing import NamedTuple

from models.catalog import ModelSpec
from models.catalog.arch import ConvCost, TextEncoderArch, VaeArch
from models.estimate.denoiser import forward_flops
from models.estimate.work import LatentGrid, Work, generations, latent_grid

_PFLOP = 1e15
_MFLOP = 1e6


class Flops(NamedTuple):
    """PFLOP of each part: text encoders, VAE encoder (of an input image), all denoise steps, VAE decoder."""

    text_pf: float
    encode_pf: float
    denoise_pf: float
    decode_pf: float

    @property
    def total_pf(self) -> float:
        return sum(self)


def flops(spec: ModelSpec, work: Work) -> Flops:
    """PFLOP of the whole request: every prompt, step, guidance pass and shot."""
    parts = [_generation(spec, work, num_frames) for num_frames in generations(spec, work)]
    return Flops(*(sum(column) / _PFLOP for column in zip(*parts, strict=True)))


def _generation(spec: ModelSpec, work: Work, num_frames: int) -> tuple[float, float, float, float]:
    arch = spec.arch
    grid = latent_grid(spec, work, num_frames)
    passes = forwards_per_step(spec, work)
    text = passes * sum(text_flops(part, has_image=work.has_image) for part in arch.text)
    encode = vae_encode_flops(arch.vae, grid) if work.has_image else 0.0
    forward = forward_flops(arch.denoiser, grid, has_image=work.has_image)
    return text, encode, float(forward * passes * work.num_inference_steps), vae_decode_flops(arch.vae, grid)


def forwards_per_step(spec: ModelSpec, work: Work) -> int:
    """Two with classifier-free guidance, one without it or where the guidance scale is an input of the model."""
    return 2 if work.guidance_scale > 1 and not spec.arch.embedded_guidance else 1


def text_flops(arch: TextEncoderArch, *, has_image: bool) -> float:
    """FLOPs of encoding one prompt at its padded length."""
    tokens = arch.tokens + (arch.image_tokens if has_image else 0)
    inner = arch.heads * arch.head_dim
    projections = 2 * arch.dim * inner + 2 * arch.dim * arch.kv_heads * arch.head_dim
    feed_forward = (3 if arch.gated else 2) * arch.dim * arch.ffn
    return arch.layers * (2.0 * tokens * (projections + feed_forward) + 4.0 * tokens * tokens * inner)


def vae_decode_flops(arch: VaeArch, grid: LatentGrid) -> float:
    """FLOPs of decoding the latents, not tiled in space, as the stock class passes over time."""
    return sum(
        _conv_flops(arch.decode, grid.area, frames) + _middle_attention(arch, arch.attention_dim, grid.area, frames)
        for frames in _temporal_passes(arch, grid.frames)
    )


def vae_encode_flops(arch: VaeArch, grid: LatentGrid) -> float:
    """FLOPs of encoding the input image, alone or as the first frame of a video of zeros."""
    frames = grid.frames if arch.encodes == "video" else 1
    attention = _middle_attention(arch, arch.encode_attention_dim, grid.area, frames)
    return _conv_flops(arch.encode, grid.area, frames) + attention


def _temporal_passes(arch: VaeArch, frames: int) -> list[int]:
    if arch.temporal_tile is None:
        return [frames]
    length, stride = arch.temporal_tile
    if frames < length:
        return [frames]
    return [min(length, frames - start) for start in range(0, frames, stride)]


def _conv_flops(cost: ConvCost, area: int, frames: int) -> float:
    return area * (cost.first_mflop + (frames - 1) * cost.next_mflop) * _MFLOP


def _middle_attention(arch: VaeArch, dim: int, area: int, frames: int) -> float:
    if arch.attention == "none":
        return 0.0
    if arch.attention == "frame":
        return 4.0 * frames * area**2 * dim
    return 4.0 * (frames * area) ** 2 * dim
