"""What periodic checkpoints cost the denoising: the same request with and without, by turns, in one process.

Both figures are CPU time of the thread that denoises, which other processes of a busy machine do not lengthen:
`share` is the part of it spent in taking checkpoints, and `paired` what a run with checkpoints took more than the one
without before it, which also sees what the writing thread costs it.
"""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gpu_agent.cadence import Cadence
from gpu_agent.worker.channel import Channel
from gpu_agent.worker.protocol import FromWorker, RunJob
from gpu_agent.worker.snapshots import CheckpointWriter, PeriodicCheckpoints
from models import registry
from models.interface import GenerationRequest, GenerationStopped, Step, VideoModel

NEVER_S = 1e9


class Collector(Channel):
    """A channel that leads nowhere but to a list."""

    def __init__(self) -> None:
        self.sent: list[FromWorker] = []

    def send(self, message: FromWorker) -> None:
        self.sent.append(message)


@dataclass(frozen=True, kw_only=True)
class Run:
    """CPU seconds of the denoising thread: all of it, and what taking checkpoints took. `checkpoints` were written."""

    denoise_s: float
    taking_s: float
    checkpoints: int


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """Shares of the denoise time; `paired` has one for each pair of runs."""

    share: float
    paired: tuple[float, ...]
    denoise_s: float
    checkpoints: int


def measure(request: GenerationRequest, *, pairs: int, cadence: Cadence, weights: Path | None) -> Overhead:
    """Warm up, then `pairs` times a run without and one with checkpoints."""
    import torch

    torch.set_num_threads(1)
    model = registry.load(request.model, weights_dir=weights, device="cpu")
    never = Cadence(interval_s=NEVER_S, max_overhead=cadence.max_overhead)
    with tempfile.TemporaryDirectory() as folder:
        denoise(model, request, never, Path(folder))
        runs = [[denoise(model, request, one, Path(folder)) for one in (never, cadence)] for _ in range(pairs)]
    saved = [pair[1] for pair in runs]
    return Overhead(
        share=sum(run.taking_s for run in saved) / sum(run.denoise_s for run in saved),
        paired=tuple(pair[1].denoise_s / pair[0].denoise_s - 1 for pair in runs),
        denoise_s=statistics.median(pair[0].denoise_s for pair in runs),
        checkpoints=sum(run.checkpoints for run in saved),
    )


def denoise(model: VideoModel, request: GenerationRequest, cadence: Cadence, folder: Path) -> Run:
    """One request up to its last step, with the worker's own checkpointing; nothing is decoded."""
    channel = Collector()
    job = RunJob(
        job_id="bench",
        attempt=1,
        request=request,
        directory=folder,
        resume=None,
        cadence=cadence,
        total_frames=request.total_frames,
    )
    periodic = PeriodicCheckpoints(job, CheckpointWriter(channel))
    began_s = 0.0
    taking_s = 0.0

    def on_phase(phase: str) -> None:
        nonlocal began_s
        if phase == "denoise":
            began_s = time.thread_time()

    def on_step(step: Step) -> None:
        nonlocal taking_s
        if step.index == step.total:  # the one after the last step is taken in either run
            raise GenerationStopped
        before_s = time.thread_time()
        periodic.after(step)
        taking_s += time.thread_time() - before_s

    try:
        for _ in model.generate(request, resume=None, on_step=on_step, on_phase=on_phase):
            pass
    except GenerationStopped:
        pass
    return Run(denoise_s=time.thread_time() - began_s, taking_s=taking_s, checkpoints=len(channel.sent))


def tell(overhead: Overhead, cadence: Cadence) -> str:
    """One line."""
    low, middle, high = statistics.quantiles(overhead.paired, n=4)
    return (
        f"checkpoints every {cadence.interval_s:g} s: {overhead.share:.3%} of the denoising thread's CPU time "
        f"({overhead.checkpoints} taken; {overhead.denoise_s:.2f} s a run); "
        f"run against run {middle:+.2%}, quartiles {low:+.2%} to {high:+.2%} of {len(overhead.paired)} pairs"
    )
