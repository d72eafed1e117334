"""Weights from the disk, and models that change places: against the disk's and the bus's own rate."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

import torch
from diffusers import WanTransformer3DModel

from bench import networks
from bench.networks import CUDA
from bench.record import Row
from models.speed.ceilings import Ceilings, disk_read_gb_s
from models.speed.fast_load import load_network
from models.speed.host_copy import HostCopy
from models.speed.timing import seconds_of

_DROP_CACHES = Path("/proc/sys/vm/drop_caches")


def from_disk(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    """Wan TI2V-5B's denoiser (10 GB) onto the GPU: the stock loader, and ours. From the disk, then from the page cache,
    as when a worker starts again or has just downloaded the weights. Three turns of each."""
    with scratch() as folder:
        network = networks.denoiser("wan2.2-ti2v-5b")
        num_bytes = networks.num_bytes(network)
        network.to("cpu").save_pretrained(folder, max_shard_size="5GB")
        del network
        disk = disk_read_gb_s(folder)
        binding = min(disk, ceilings.host_to_device_gb_s or disk)
        what = f"Wan TI2V-5B's denoiser from disk, {num_bytes / 1e9:.1f} GB"
        limit = f"disk {disk:.2f} GB/s" if binding == disk else "host_to_device_gb_s"
        dropped = f"caches dropped: {os.geteuid() == 0}"
        for row in _rows(what, folder, num_bytes, cold=True, rate=binding, ceiling=limit, note=dropped):
            add(row)
        warm = f"Wan TI2V-5B's denoiser from the page cache, {num_bytes / 1e9:.1f} GB"
        bus, limit = ceilings.host_to_device_gb_s, "host_to_device_gb_s"
        _stock(folder)  # reads it all through the cache
        for row in _rows(warm, folder, num_bytes, cold=False, rate=bus, ceiling=limit, note="read before"):
            add(row)


def _rows(
    what: str,
    folder: Path,
    num_bytes: int,
    *,
    cold: bool,
    rate: float | None,
    ceiling: str,
    note: str,
) -> list[Row]:
    times: dict[str, list[float]] = {"from_pretrained": [], "ours": []}
    for _ in range(3):
        times["from_pretrained"].append(_timed(lambda: _stock(folder), cold=cold))
        times["ours"].append(_timed(lambda: _ours(folder), cold=cold))
    return [_row(what, name, num_bytes, times, rate=rate, ceiling=ceiling, note=note) for name in times]


def _row(
    what: str,
    name: str,
    num_bytes: int,
    times: dict[str, list[float]],
    *,
    rate: float | None,
    ceiling: str,
    note: str,
) -> Row:
    took_s = median(times[name])
    value = num_bytes / took_s / 1e9
    if rate and value > 1.2 * rate:
        note += "; faster than the disk reads directly, so from a memory below it"
    return Row(
        what=what,
        variant=name,
        value=value,
        unit="GB/s",
        repeats=len(times[name]),
        of_ceiling=value / rate if rate else None,
        ceiling=ceiling,
        speedup=median(times["from_pretrained"]) / took_s,
        note=f"{took_s:.2f} s; {note}",
    )


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk that holds weights, gone afterwards."""
    folder = Path(mkdtemp(prefix="revalida-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def drop_caches() -> None:
    """Makes the next read of any file one from the disk, where this process may do that."""
    with suppress(OSError):  # not root
        _DROP_CACHES.write_text("3")


def _timed(load: Callable[[], object], *, cold: bool) -> float:
    networks.release()
    if cold:
        drop_caches()
    began_s = time.perf_counter()
    load()
    networks.synchronize()
    return time.perf_counter() - began_s


def _stock(folder: Path) -> object:
    return WanTransformer3DModel.from_pretrained(folder, dtype=torch.bfloat16).to(CUDA)


def _ours(folder: Path) -> object:
    return load_network(WanTransformer3DModel, folder, dtype=torch.bfloat16, device=CUDA)


def switching(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    """From one model to another, both in host memory: the stock `.to`, and ours."""
    first, second = (networks.denoiser("wan2.2-ti2v-5b").to("cpu") for _ in range(2))
    networks.release()
    num_bytes = networks.num_bytes(first)

    def stock() -> None:
        first.to("cpu")
        second.to(CUDA)

    first.to(CUDA)
    stock_s = seconds_of(stock, CUDA)
    second.to("cpu")
    copies = HostCopy(first), HostCopy(second)
    networks.release()
    turns = []
    for turn in range(6):
        leaving, coming = copies[turn % 2], copies[1 - turn % 2]

        def change(leaving: HostCopy = leaving, coming: HostCopy = coming) -> None:
            leaving.leave()
            coming.bring(CUDA)

        turns.append(seconds_of(change, CUDA))
    ours_s = median(turns[1:])
    for name, seconds in (("stock .to()", stock_s), ("ours", ours_s)):
        rate = num_bytes / seconds / 1e9
        add(
            Row(
                what=f"switch between two models of {num_bytes / 1e9:.1f} GB in host memory",
                variant=name,
                value=rate,
                unit="GB/s",
                repeats=1 if name.startswith("stock") else len(turns) - 1,
                of_ceiling=rate / ceilings.host_to_device_gb_s if ceilings.host_to_device_gb_s else None,
                ceiling="host_to_device_gb_s",
                speedup=stock_s / seconds,
                note=f"{seconds:.2f} s",
            )
        )
