"""How long a `wan-mini` video takes on this CPU, cold and warm, by the stock kernels and by oneDNN.

python -m tests.unit.models.bench_mini [--repeats 5] [--threads 2]

One video at the model's defaults, encoded to MP4. Cold: a process of its own from its start, imports and loading
included. Warm: medians of a process that goes on, both kernels in turn. CPU seconds are of all threads; on a machine
with other work they tell more than the wall's.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.interface import VideoModel

KERNELS = ("stock", "onednn")
PHASES = ("encode", "denoise", "decode", "video")
Laps = dict[str, tuple[float, float]]


class Stopwatch:
    """Wall and CPU seconds between the laps."""

    def __init__(self) -> None:
        self.laps: Laps = {}
        self._name: str | None = None
        self._since = (0.0, 0.0)

    def begin(self, name: str | None) -> None:
        now = (time.perf_counter(), time.process_time())
        if self._name is not None:
            self.laps[self._name] = (now[0] - self._since[0], now[1] - self._since[1])
        self._name, self._since = name, now


def one_video(kernels: str) -> "tuple[VideoModel, Laps]":
    """A fresh model and its first video."""
    from models import catalog, registry
    from models.wan import load

    spec = catalog.get("wan-mini").variant(cpu_kernels=kernels)
    model = load(spec, weights_dir=registry.CHECKPOINTS / "wan-mini", device="cpu", plan=None)
    return model, again(model, seed=0)


def again(model: "VideoModel", *, seed: int) -> Laps:
    """Another video by the same model."""
    from models import catalog
    from models.interface import GenerationRequest
    from models.output import write_video

    default = catalog.get("wan-mini").default
    request = GenerationRequest(
        model="wan-mini",
        prompt=f"a red circle moving right on a blue background, {seed}",
        width=default.size.width,
        height=default.size.height,
        num_frames=default.num_frames,
        fps=16,
        num_inference_steps=default.num_inference_steps,
        guidance_scale=default.guidance_scale,
        guidance_scale_2=default.guidance_scale_2,
        seed=seed,
    )
    watch = Stopwatch()
    frames = list(model.generate(request, on_step=lambda step: None, on_phase=watch.begin))
    watch.begin("video")
    with tempfile.TemporaryDirectory() as folder:
        write_video(frames, Path(folder) / "video.mp4", fps=16, num_frames=len(frames))
    watch.begin(None)
    return watch.laps


def cold(threads: int) -> tuple[float, float]:
    """Wall and CPU seconds of a process that makes one video."""
    program = f"import torch; torch.set_num_threads({threads})\nfrom tests.unit.models.bench_mini import one_video\n"
    before, began_s = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", program + "one_video('onednn')"], check=True, stderr=subprocess.DEVNULL)
    wall_s, after = time.perf_counter() - began_s, os.times()
    cpu_s = after.children_user - before.children_user + after.children_system - before.children_system
    return wall_s, cpu_s


def warm(repeats: int, threads: int) -> dict[str, dict[str, list[tuple[float, float]]]]:
    import torch

    torch.set_num_threads(threads)
    models = {kernels: one_video(kernels)[0] for kernels in KERNELS}
    found: dict[str, dict[str, list[tuple[float, float]]]] = {kernels: defaultdict(list) for kernels in KERNELS}
    for seed in range(1, repeats + 1):
        for kernels, model in models.items():
            for phase, lap in again(model, seed=seed).items():
                found[kernels][phase].append(lap)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, {asked.threads} threads, load {os.getloadavg()[0]:.1f}; wall s (CPU s)")
    print("cold, onednn: {:.1f} ({:.1f})".format(*cold(asked.threads)))
    found = warm(asked.repeats, asked.threads)
    for kernels in KERNELS:
        medians = {phase: [median(column) for column in zip(*found[kernels][phase], strict=True)] for phase in PHASES}
        parts = ", ".join(f"{phase} {wall:.2f} ({cpu:.2f})" for phase, (wall, cpu) in medians.items())
        wall, cpu = (sum(column) for column in zip(*medians.values(), strict=True))
        print(f"warm, {kernels}: {wall:.1f} ({cpu:.1f}) = {parts}")


if __name__ == "__main__":
    main()
