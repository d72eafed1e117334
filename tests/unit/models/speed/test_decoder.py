"""The quick decoder on real frames: drawn clips through the trained autoencoder of wan-mini."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import DupUp3D
from torch import Tensor
from torch.nn import functional

from models import speed, tiny
from models.registry import CHECKPOINTS
from models.speed import fusing
from models.speed.decoder import quicken
from models.speed.wan_decoder import shorten
from models.wan.decode import stream_decode
from training.evaluation.generate import to_tensor
from training.evaluation.prompts import scene_prompts
from training.world.draw import draw_scenes

FRAMES, SIDE = 9, 192
TILE, STRIDE = 128, 96
VISIBLE = 1.0
"""A line across the whole picture is not seen where it is fainter than this many levels of 255."""

Levels = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def latents() -> Tensor:
    """Of three drawn clips, [3, 16, 3, 24, 24]."""
    clips = draw_scenes([prompt.scene for prompt in scene_prompts(3)], FRAMES, SIDE, SIDE, seed=5)
    with torch.no_grad():
        encoded: Tensor = opened().encode(torch.cat([to_tensor(clip) for clip in clips])).latent_dist.mode()
    return encoded


def opened() -> Any:
    vae = AutoencoderKLWan.from_pretrained(CHECKPOINTS / "wan-mini" / "vae", torch_dtype=torch.float32)
    return vae.requires_grad_(False).eval()


def decoded(vae: Any, latents: Tensor) -> Levels:
    """Frames in levels of 0 to 255, [clips, 3, frames, height, width]."""
    with torch.no_grad():
        frames = vae.decode(latents.to(vae.dtype), return_dict=False)[0].float().clamp(-1, 1)
    levels: Levels = ((frames + 1) * 127.5).numpy()
    return levels


def tiled() -> Any:
    vae = opened()
    vae.enable_tiling(
        tile_sample_min_height=TILE,
        tile_sample_min_width=TILE,
        tile_sample_stride_height=STRIDE,
        tile_sample_stride_width=STRIDE,
    )
    return vae


def test_the_quick_decoder_is_within_a_level_of_the_published_one(latents: Tensor) -> None:
    quick = opened()
    quicken(quick)
    latents = latents[:1]  # on a CPU without bfloat16 a clip takes a minute

    difference = np.abs(decoded(quick, latents) - decoded(opened(), latents))

    assert 0 < difference.mean() < 1
    assert np.percentile(difference, 99.9) < 8


def test_given_fewer_passes_over_memory_then_frames_and_latents_are_the_same(latents: Tensor) -> None:
    short = opened()
    shorten(short)

    np.testing.assert_allclose(decoded(short, latents), decoded(opened(), latents), atol=1e-3)
    clip = torch.rand(1, 3, 9, 64, 64, generator=torch.Generator().manual_seed(6)) * 2 - 1
    with torch.no_grad():
        found, expected = (vae.encode(clip).latent_dist.mode() for vae in (short, opened()))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_given_the_autoencoder_of_ti2v_when_shortened_then_its_frames_are_the_same(tmp_path: Path) -> None:
    tiny.wan_ti2v(tmp_path)
    stock = AutoencoderKLWan.from_pretrained(tmp_path / "vae").eval()
    torch.manual_seed(8)
    latents = torch.randn(1, 48, 3, 6, 5)
    before = decoded(stock, latents)

    shorten(stock)

    np.testing.assert_allclose(decoded(stock, latents), before, atol=1e-3)


class PlainKernels:
    """What `models.speed.vae_kernels` compute, by torch's operations, and how often each was asked."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def unit_silu(self, rows: Tensor, gain: Tensor, bias: Tensor | None = None, *, scale: float, silu: bool) -> Tensor:
        assert rows.ndim == 2
        self.calls["norm and SiLU" if silu else "norm"] += 1
        normed = functional.normalize(rows if bias is None else rows + bias, dim=1) * scale * gain
        return functional.silu(normed) if silu else normed

    def add_biased(self, x: Tensor, bias: Tensor, other: Tensor) -> Tensor:
        self.calls["shortcut"] += 1
        return x.add_(bias.view(1, -1, 1, 1, 1)).add_(other)

    def enlarged(self, x: Tensor, *, parts: int) -> Tensor:
        self.calls["enlarged"] += 1
        images = x.reshape(len(x), parts, -1, *x.shape[2:]).permute(0, 3, 1, 2, 4, 5).flatten(0, 2)
        images = functional.interpolate(images, scale_factor=2.0, mode="nearest-exact")
        return images.contiguous(memory_format=torch.channels_last)

    def add_duplicates(self, x: Tensor, given: Tensor, *, factor_t: int, factor_s: int, late: int) -> Tensor:
        self.calls["duplicates"] += 1
        stock = DupUp3D(given.shape[1], x.shape[1], factor_t=factor_t, factor_s=factor_s)
        return x.add_(stock(given, first_chunk=late > 0))


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> PlainKernels:
    """Has the decoders believe that they are on a GPU whose kernels passed the gate."""
    plain = PlainKernels()
    monkeypatch.setattr(fusing, "admitted", lambda *_: True)
    monkeypatch.setattr(speed, "vae_kernels", plain, raising=False)
    return plain


def test_given_a_device_with_our_kernels_when_quickened_then_they_take_the_passes_over_memory(
    latents: Tensor, kernels: PlainKernels
) -> None:
    quick = opened()
    quicken(quick, torch.float32)

    np.testing.assert_allclose(decoded(quick, latents), decoded(opened(), latents), atol=1e-3)
    # The attention's norm has no activation; each of the residual blocks has two norms, the head one.
    assert kernels.calls["norm and SiLU"] > kernels.calls["norm"] > 0
    assert kernels.calls["shortcut"] > kernels.calls["enlarged"] > 0
    assert kernels.calls["duplicates"] == 0


def test_given_the_autoencoder_of_ti2v_and_our_kernels_then_its_shortcuts_are_never_enlarged(
    tmp_path: Path, kernels: PlainKernels
) -> None:
    tiny.wan_ti2v(tmp_path)
    stock = AutoencoderKLWan.from_pretrained(tmp_path / "vae").eval()
    torch.manual_seed(8)
    latents = torch.randn(1, 48, 3, 6, 5)
    before = decoded(stock, latents)

    quicken(stock, torch.float32)

    np.testing.assert_allclose(decoded(stock, latents), before, atol=1e-3)
    upwards = sum(block.avg_shortcut is not None for block in stock.decoder.up_blocks)
    assert kernels.calls["duplicates"] == upwards * latents.shape[2]


def strongest_line(pieced: Levels, whole: Levels) -> float:
    """What tiles add to the step from one row or column of pixels to the next: the mean along the worst line."""
    lines = []
    for axis in (-1, -2):
        added = np.abs(np.diff(pieced, axis=axis)) - np.abs(np.diff(whole, axis=axis))
        lines.append(np.moveaxis(added, axis, 0).reshape(SIDE - 1, -1).mean(1).max())
    return float(max(lines))


def test_tiles_leave_no_seam(latents: Tensor) -> None:
    whole, pieced = decoded(opened(), latents), decoded(tiled(), latents)

    assert not np.array_equal(whole, pieced), "the clips are larger than a tile"
    assert strongest_line(pieced, whole) < VISIBLE
    assert np.abs(pieced - whole).mean() < 2


@pytest.mark.parametrize("count", [2, 3])
def test_strips_leave_no_seam_and_no_trace_in_the_autoencoder(latents: Tensor, count: int) -> None:
    vae = tiled()
    before = dict(vae.__dict__)
    with torch.no_grad():
        (frames,) = stream_decode(vae, latents, strips=count)
    pieced = ((frames.float().clamp(-1, 1) + 1) * 127.5).numpy()
    whole = decoded(opened(), latents)

    assert not np.array_equal(whole, pieced)
    assert strongest_line(pieced, whole) < VISIBLE
    assert np.abs(pieced - whole).mean() < 1
    assert {name: value for name, value in vae.__dict__.items() if name.startswith("tile_")} == {
        name: value for name, value in before.items() if name.startswith("tile_")
    }


def test_each_of_the_strips_is_decoded_once(latents: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    vae = tiled()
    widths: list[int] = []
    forward = vae.post_quant_conv.forward

    def seen(tile: Tensor) -> Tensor:
        widths.append(tile.shape[-1])
        result: Tensor = forward(tile)
        return result

    monkeypatch.setattr(vae.post_quant_conv, "forward", seen)
    wide = torch.cat([latents[:1], latents[1:2]], dim=-1)  # 24 x 48 cells
    with torch.no_grad():
        (frames,) = stream_decode(vae, wide, strips=2)

    assert frames.shape[-2:] == (SIDE, 2 * SIDE)
    assert sorted(set(widths)) == [24, 24 + 8]
    assert len(widths) == 2 * latents.shape[2]


def test_the_judge_of_seams_sees_one(latents: Tensor) -> None:
    whole = decoded(opened(), latents)
    cut = whole.copy()
    cut[..., TILE:] += 2

    assert strongest_line(cut, whole) > VISIBLE
