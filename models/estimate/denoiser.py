"""FLOPs of one forward of a denoiser, counted as torch's FlopCounterMode counts: a multiply-add is two, element-wise
work is nothing. Each function follows its diffusers class, matrix by matrix."""

from itertools import pairwise

from models.catalog.arch import (
    AsymmetricDenoiser,
    CrossAttentionDenoiser,
    DenoiserArch,
    DualStreamDenoiser,
    JointDenoiser,
)
from models.estimate.work import LatentGrid


def num_tokens(arch: DenoiserArch, grid: LatentGrid) -> int:
    """Video tokens of the latents."""
    frames, height, width = arch.patch
    return (grid.frames // frames) * (grid.height // height) * (grid.width // width)


def _linear(tokens: int, *sizes: int) -> int:
    """A chain of matrices: sizes[0] -> sizes[1] -> ... applied to ``tokens`` rows."""
    return sum(2 * tokens * fan_in * fan_out for fan_in, fan_out in pairwise(sizes))


def _attention(queries: int, keys: int, dim: int) -> int:
    return 4 * queries * keys * dim


def _patch_volume(arch: DenoiserArch) -> int:
    frames, height, width = arch.patch
    return frames * height * width


def forward_flops(arch: DenoiserArch, grid: LatentGrid, *, has_image: bool) -> int:
    """FLOPs of one forward at batch 1."""
    match arch:
        case CrossAttentionDenoiser():
            return _cross_attention(arch, grid, has_image=has_image)
        case DualStreamDenoiser():
            return _dual_stream(arch, grid, has_image=has_image)
        case JointDenoiser():
            return _joint(arch, grid)
        case AsymmetricDenoiser():
            return _asymmetric(arch, grid)


def _cross_attention(arch: CrossAttentionDenoiser, grid: LatentGrid, *, has_image: bool) -> int:
    tokens, text, dim = num_tokens(arch, grid), arch.text_tokens, arch.dim
    per_token = arch.time_per_token == "always" or (arch.time_per_token == "with-image" and has_image)
    volume = _patch_volume(arch)
    once = (
        _linear(tokens, arch.in_channels * volume, dim)
        + _linear(text, arch.text_dim, dim, dim)
        + _linear(tokens if per_token else 1, arch.time_dim, dim, dim, 6 * dim)
        + _linear(tokens, dim, arch.out_channels * volume)
    )
    block = (
        4 * _linear(tokens, dim, dim)
        + _self_attention(arch, grid)
        + 2 * _linear(tokens, dim, dim)
        + 2 * _linear(text, dim, dim)
        + _attention(tokens, text, dim)
        + _linear(tokens, dim, arch.ffn, dim)
    )
    return once + arch.layers * block


def _self_attention(arch: CrossAttentionDenoiser, grid: LatentGrid) -> int:
    """Dense, or each shot over itself and over the first latent frame of every shot (its own a second time)."""
    tokens = num_tokens(arch, grid)
    if not arch.sparse_shots:
        return _attention(tokens, tokens, arch.dim)
    frame = tokens // grid.frames
    anchors = len(grid.shots) * frame
    return sum(_attention(shot * frame, shot * frame + anchors, arch.dim) for shot in grid.shots)


def _dual_stream(arch: DualStreamDenoiser, grid: LatentGrid, *, has_image: bool) -> int:
    tokens, dim, ffn = num_tokens(arch, grid), arch.dim, arch.ffn
    text = arch.text_tokens + (arch.image_tokens if has_image else 0)
    both = tokens + text
    volume = _patch_volume(arch)
    conditioning = 2 * _linear(1, arch.time_dim, dim, dim) + _linear(1, arch.pooled_dim, dim, dim)
    refiner = (
        _linear(text, arch.text_dim, dim)
        + _linear(1, arch.text_dim, dim, dim)
        + _linear(1, arch.time_dim, dim, dim)
        + arch.refiner_layers
        * (4 * _linear(text, dim, dim) + _attention(text, text, dim) + _linear(text, dim, ffn, dim))
    )
    double = (
        2 * _linear(1, dim, 6 * dim)
        + 4 * _linear(both, dim, dim)
        + _attention(both, both, dim)
        + _linear(both, dim, ffn, dim)
    )
    single = (
        _linear(1, dim, 3 * dim)
        + 3 * _linear(both, dim, dim)
        + _attention(both, both, dim)
        + _linear(both, dim, ffn)
        + _linear(both, dim + ffn, dim)
    )
    ends = _linear(tokens, arch.in_channels * volume, dim) + _linear(tokens, dim, arch.out_channels * volume)
    return conditioning + refiner + ends + arch.layers * double + arch.single_layers * single


def _joint(arch: JointDenoiser, grid: LatentGrid) -> int:
    tokens, text, dim = num_tokens(arch, grid), arch.text_tokens, arch.dim
    both = tokens + text
    volume = _patch_volume(arch)
    once = (
        _linear(tokens, arch.in_channels * volume, dim)
        + _linear(text, arch.text_dim, dim)
        + _linear(1, dim, arch.time_dim, arch.time_dim, 2 * dim)
        + _linear(tokens, dim, arch.out_channels * volume)
    )
    block = (
        2 * _linear(1, arch.time_dim, 6 * dim)
        + 4 * _linear(both, dim, dim)
        + _attention(both, both, dim)
        + _linear(both, dim, arch.ffn, dim)
    )
    return once + arch.layers * block


def _asymmetric(arch: AsymmetricDenoiser, grid: LatentGrid) -> int:
    tokens, text, dim, context = num_tokens(arch, grid), arch.text_tokens, arch.dim, arch.context_dim
    volume = _patch_volume(arch)
    once = (
        _linear(tokens, arch.in_channels * volume, dim)
        + _linear(1, arch.time_dim, dim, dim)
        + _linear(text, arch.text_dim, 2 * arch.text_dim)
        + _linear(1, arch.text_dim, arch.text_dim, dim)
        + _linear(text, arch.text_dim, context)
        + _linear(1, dim, 2 * dim)
        + _linear(tokens, dim, arch.out_channels * volume)
    )
    # Gated feed-forwards have a matrix of twice their width on the way in.
    video = 4 * _linear(tokens, dim, dim) + _linear(tokens, dim, 2 * arch.ffn) + _linear(tokens, arch.ffn, dim)
    text_in = 3 * _linear(text, context, dim)
    text_out = (
        _linear(text, dim, context)
        + _linear(text, context, 2 * arch.context_ffn)
        + _linear(text, arch.context_ffn, context)
    )
    norms = _linear(1, dim, 4 * dim) + _linear(1, dim, 4 * context)
    block = video + text_in + text_out + norms + _attention(tokens + text, tokens + text, dim)
    # The last block needs no text after its attention.
    return once + arch.layers * block - text_out - _linear(1, dim, 3 * context)
