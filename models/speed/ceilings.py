"""What a machine's accelerator can do at best: a microbenchmark of some seconds, at a worker's first boot.

Random data throughout: products of zeros run up to an eighth faster than those of anything else.
"""

from __future__ import annotations

import mmap
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from pydantic import BaseModel, ConfigDict

from models.speed.host_copy import pinned
from models.speed.quantised import quantise_rows, supported
from models.speed.timing import median_s

_SIDE = 8192
_COPY_BYTES = 2**31
_HOST_BYTES = 2**30
_DISK_BYTES = 2**31
_DISK_PIECE_BYTES = 2**25


class Ceilings(BaseModel):
    """Medians. TFLOP/s of an 8192-cubed product, GB/s (1e9) of copies counting bytes read plus written for
    `copy_gb_s` and bytes moved for the others. None: not measured, or not there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    device: str
    torch: str
    measured_at: float
    matmul_tf_s: float
    int8_tf_s: float | None = None
    fp8_tf_s: float | None = None
    copy_gb_s: float | None = None
    host_to_device_gb_s: float | None = None
    disk_gb_s: float | None = None


def measure(device: torch.device, folder: Path | None = None) -> Ceilings:
    """All of them; `folder` is where weights lie, on the disk that is to be measured."""
    if device.type != "cuda":
        return Ceilings(device="cpu", torch=torch.__version__, measured_at=time.time(), matmul_tf_s=_cpu_matmul_tf_s())
    return Ceilings(
        device=torch.cuda.get_device_name(device),
        torch=torch.__version__,
        measured_at=time.time(),
        matmul_tf_s=_matmul_tf_s(device),
        int8_tf_s=_int8_tf_s(device),
        fp8_tf_s=_fp8_tf_s(device) if supported("float8", device) else None,
        copy_gb_s=_copy_gb_s(device),
        host_to_device_gb_s=_host_to_device_gb_s(device),
        disk_gb_s=disk_read_gb_s(folder) if folder is not None else None,
    )


def _square(device: torch.device) -> torch.Tensor:
    return torch.randn(_SIDE, _SIDE, device=device, dtype=torch.bfloat16)


def _tf_s(seconds: float, side: int = _SIDE) -> float:
    return 2 * side**3 / seconds / 1e12


def _matmul_tf_s(device: torch.device) -> float:
    left, right = _square(device), _square(device)
    return _tf_s(median_s(lambda: left @ right, device, warm_up=5, repeats=15))


def products(device: torch.device) -> tuple[Callable[[], torch.Tensor], float]:
    """About half a second of the same products, to be timed in turn with other work, and their TFLOPs: a card that is
    warm runs slower than one that starts, and so does its ceiling."""
    side, count = (_SIDE, 400) if device.type == "cuda" else (64, 2)
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))

    def run() -> torch.Tensor:
        for _ in range(count):
            out = left @ right
        return out

    return run, 2 * count * side**3 / 1e12


def _int8_tf_s(device: torch.device) -> float:
    left, right = (quantise_rows(_square(device), "int8")[0] for _ in range(2))
    return _tf_s(median_s(lambda: torch._int_mm(left, right.t()), device, warm_up=5, repeats=15))


def _fp8_tf_s(device: torch.device) -> float:
    (left, left_scale), (right, right_scale) = (quantise_rows(_square(device), "float8") for _ in range(2))

    def call() -> torch.Tensor:
        return torch._scaled_mm(
            left,
            right.t(),
            scale_a=left_scale,
            scale_b=right_scale.t(),
            out_dtype=torch.bfloat16,
            use_fast_accum=True,
        )

    return _tf_s(median_s(call, device, warm_up=5, repeats=15))


def _cpu_matmul_tf_s() -> float:
    side = 1024
    left, right = torch.randn(side, side), torch.randn(side, side)
    return _tf_s(median_s(lambda: left @ right, torch.device("cpu"), warm_up=2, repeats=9), side)


def _copy_gb_s(device: torch.device) -> float:
    source = torch.empty(_COPY_BYTES, dtype=torch.uint8, device=device).random_()
    target = torch.empty_like(source)
    return 2 * _COPY_BYTES / median_s(lambda: target.copy_(source), device, warm_up=2, repeats=9) / 1e9


def _host_to_device_gb_s(device: torch.device) -> float:
    source = pinned(_HOST_BYTES)
    source.fill_(7)
    target = torch.empty(_HOST_BYTES, dtype=torch.uint8, device=device)
    return _HOST_BYTES / median_s(lambda: target.copy_(source, non_blocking=True), device, warm_up=2) / 1e9


def disk_read_gb_s(folder: Path, *, readers: int = 8, num_bytes: int = _DISK_BYTES) -> float:
    """GB/s of `readers` threads that read one new file past the page cache, median of three; the file is removed."""
    from concurrent.futures import ThreadPoolExecutor

    path = folder / f".disk-benchmark-{os.getpid()}"
    try:
        _write_random(path, num_bytes)
        pieces = range(0, num_bytes, _DISK_PIECE_BYTES)
        rates = []
        with ThreadPoolExecutor(readers) as pool:
            for _ in range(3):
                began_s = time.perf_counter()
                read = sum(pool.map(lambda offset: _read_direct(path, offset), pieces))
                rates.append(read / (time.perf_counter() - began_s) / 1e9)
        return median(rates)
    finally:
        path.unlink(missing_ok=True)


def _write_random(path: Path, num_bytes: int) -> None:
    piece = os.urandom(_DISK_PIECE_BYTES)
    with path.open("wb") as file:
        for _ in range(num_bytes // _DISK_PIECE_BYTES):
            file.write(piece)
        os.fsync(file.fileno())


def _read_direct(path: Path, offset: int) -> int:
    """Reads one piece with O_DIRECT where the file system knows it. Returns the bytes read."""
    direct = getattr(os, "O_DIRECT", 0)
    try:
        descriptor = os.open(path, os.O_RDONLY | direct)
    except OSError:
        descriptor = os.open(path, os.O_RDONLY)
    try:
        with mmap.mmap(-1, _DISK_PIECE_BYTES) as memory:  # anonymous maps begin at a page, as O_DIRECT wants
            return os.preadv(descriptor, [memory], offset)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    weights_dir = Path(sys.argv[1])
    weights_dir.mkdir(parents=True, exist_ok=True)
    print(measure(torch.device("cuda" if torch.cuda.is_available() else "cpu"), weights_dir).model_dump_json())
