"""Decoding a video's latents: the documentation's recipe against the quick decoder, whole and in tiles."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from bench import networks
from bench.denoise import difference
from bench.networks import CUDA
from bench.record import Row
from models.estimate.flops import vae_decode_flops
from models.speed.ceilings import Ceilings
from models.speed.decoder import quicken
from models.speed.timing import seconds_of
from models.wan.decode import stream_decode

STOCK = "float32, stock"


def compare(
    model_id: str,
    ceilings: Ceilings,
    add: Callable[[Row], None],
    *,
    size: tuple[int, int] | None = None,
    frames: int | None = None,
    repeats: int = 5,
    limit_s: float = 90.0,
) -> None:
    """Medians after one warm-up. Errors against float32 without TF32, on a video of nine frames of the same size."""
    spec, work, grid = networks.work_of(model_id, size, frames)
    arch = spec.arch.vae
    latents = torch.randn(1, arch.channels, grid.frames, grid.height, grid.width, device=CUDA)
    tf = vae_decode_flops(arch, grid) / 1e12
    errors = _errors(model_id, latents[:, :, :3])
    stock_s = None
    for name, build in _variants(model_id).items():
        seconds: list[float] = []
        began_s = time.monotonic()
        try:
            vae = build()
            while len(seconds) <= repeats and (len(seconds) < 3 or time.monotonic() - began_s < limit_s / 4):
                seconds.append(seconds_of(lambda vae=vae: _decode(vae, latents), CUDA))  # type: ignore[misc]
        except torch.OutOfMemoryError:
            add(Row(what=f"{model_id} decode", variant=name, value=None, unit="s", note="out of memory"))
            networks.release()
            continue
        middle = sorted(seconds[1:])[len(seconds[1:]) // 2]
        stock_s = middle if name == STOCK else stock_s
        add(
            Row(
                what=f"{model_id} decode {work.width}x{work.height}x{work.num_frames}",
                variant=name,
                value=middle,
                unit="s",
                repeats=len(seconds) - 1,
                of_ceiling=tf / middle / ceilings.matmul_tf_s,
                ceiling="matmul_tf_s",
                speedup=stock_s / middle if stock_s else None,
                error=errors.get(name),
                reference="float32 without TF32, nine frames",
                note=f"peak {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB",
            )
        )
        del vae
        networks.release()


def _variants(model_id: str) -> dict[str, Callable[[], Any]]:
    def plain() -> Any:
        torch.manual_seed(9)
        return networks.vae(model_id, torch.float32)

    def tiled(vae: Any) -> Any:
        vae.enable_tiling()
        return vae

    def quick(dtype: torch.dtype) -> Any:
        vae = plain()
        quicken(vae, dtype)
        return vae

    return {
        STOCK: plain,
        "bfloat16, quick": lambda: quick(torch.bfloat16),
        "bfloat16, quick, strips": lambda: _InStrips(tiled(quick(torch.bfloat16))),
        "float32, stock, tiled": lambda: tiled(plain()),
        "float32, quick": lambda: quick(torch.float32),
        "bfloat16, stock": lambda: plain().to(torch.bfloat16),
        "bfloat16, quick, tiled": lambda: tiled(quick(torch.bfloat16)),
        "float16, quick": lambda: quick(torch.float16),
    }


class _InStrips:
    """An autoencoder that decodes as the engine does where whole frames do not fit: in two strips."""

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        self.dtype = vae.dtype

    def decode(self, latents: torch.Tensor, *, return_dict: bool) -> tuple[torch.Tensor]:
        del return_dict
        return (torch.cat(list(stream_decode(self._vae, latents, strips=2)), dim=2),)


def _errors(model_id: str, latents: torch.Tensor) -> dict[str, float]:
    torch.backends.cudnn.allow_tf32 = False
    reference = _decode(_variants(model_id)[STOCK](), latents)
    torch.backends.cudnn.allow_tf32 = True
    networks.release()
    found = {}
    for name, build in _variants(model_id).items():
        found[name] = difference(_decode(build(), latents), reference)
        networks.release()
    return found


def _decode(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        decoded: torch.Tensor = vae.decode(latents.to(vae.dtype), return_dict=False)[0]
    return decoded
