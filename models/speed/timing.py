"""Seconds of work on a device, by its own clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch


def seconds_of(call: Callable[[], object], device: torch.device) -> float:
    """Seconds from the start of `call` to the end of the work that it queued."""
    if device.type != "cuda":
        began_s = time.perf_counter()
        call()
        return time.perf_counter() - began_s
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    begin.record()
    call()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3


def median_s(call: Callable[[], object], device: torch.device, *, warm_up: int = 2, repeats: int = 5) -> float:
    """Median seconds of `repeats` calls after `warm_up` ones."""
    for _ in range(warm_up):
        call()
    return median(seconds_of(call, device) for _ in range(repeats))
