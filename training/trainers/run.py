"""What every trainer shares: its options, its device and processes, its schedule, its log."""

import math
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.distributed as dist

WARM_UP = 0.02
HOLD = 0.45
"""Share of the run at the full learning rate (after the warm-up); then it falls as a cosine."""

LOG_EVERY_S = 15.0
SYNC_EVERY = 20
"""Steps between two looks at the clock; in a distributed run all processes then agree on how far they are."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How long, where and with what a trainer runs; whichever of steps and minutes ends first ends the run."""

    out: Path
    minutes: float
    steps: int
    seed: int = 0
    device: str = "cuda"
    compile: bool = True
    workers: int = 6
    learning_rate: float = 1e-3
    batch_tokens: int | None = None


@dataclass
class Clock:
    """Progress of a run from 0 to 1, equal in all its processes."""

    options: RunOptions
    device: torch.device
    started: float = field(default_factory=time.monotonic)
    step: int = 0
    progress: float = 0.0
    _logged: float = 0.0

    def tick(self) -> bool:
        """Count a step; whether the run goes on."""
        if self.step % SYNC_EVERY == 0 or self.step >= self.options.steps:
            elapsed = (time.monotonic() - self.started) / 60
            progress = max(elapsed / self.options.minutes, self.step / self.options.steps)
            if dist.is_initialized():
                shared = torch.tensor(progress, device=self.device)
                dist.broadcast(shared, src=0)
                progress = float(shared)
            self.progress = progress
        self.step += 1
        return self.progress < 1

    @property
    def now(self) -> float:
        """Seconds of the clock that `started` was read from."""
        return time.monotonic()

    @property
    def learning_rate(self) -> float:
        """The learning rate now."""
        return self.options.learning_rate * shape_of_rate(self.progress)

    def due(self, every_s: float) -> bool:
        """Whether `every_s` seconds have passed since this last said yes (looked at where progress is)."""
        if self.step % SYNC_EVERY != 0 or time.monotonic() - self._logged < every_s:
            return False
        self._logged = time.monotonic()
        return True


def shape_of_rate(progress: float) -> float:
    """Learning rate over its peak at a progress of 0..1: rise, hold, cosine to zero."""
    if progress < WARM_UP:
        return max(progress / WARM_UP, 0.01)
    if progress < HOLD:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - HOLD) / (1 - HOLD))))


def start(options: RunOptions) -> torch.device:
    """Seed everything, join the other processes if torchrun started several, and name this one's device."""
    rank = int(os.environ.get("RANK", "0"))
    random.seed(options.seed + rank)
    torch.manual_seed(options.seed + rank)
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if options.device != "cuda":
        if several:
            dist.init_process_group("gloo")
        return torch.device(options.device)
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    if several:
        dist.init_process_group("nccl", device_id=device)
    return device


def rank() -> int:
    """Index of this process in its run."""
    return dist.get_rank() if dist.is_initialized() else 0


def log(options: RunOptions, clock: Clock, **values: float) -> None:
    """One line to the run's log and to the screen, from the first process."""
    if rank() != 0:
        return
    figures = " ".join(f"{name}={value:.5g}" for name, value in values.items())
    elapsed_s = time.monotonic() - clock.started
    line = f"step={clock.step} progress={clock.progress:.3f} elapsed_s={elapsed_s:.0f} {figures}"
    print(line, flush=True)
    with (options.out / "log.txt").open("a") as file:
        file.write(line + "\n")
