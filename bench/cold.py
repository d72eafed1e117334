"""The cold start of a Wan A14B worker, phase by phase, in a fresh process and from a disk whose caches were dropped.

`python -m bench.cold FOLDER` is that process: it prints its phases as JSON. Weights are random, and one expert's files
serve as both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import WanTransformer3DModel
from transformers import UMT5EncoderModel

from bench import capped, denoise, networks, pipeline
from bench.loading import drop_caches, scratch
from bench.record import Row
from models import catalog
from models.speed.ceilings import Ceilings, disk_read_gb_s
from models.speed.fast_load import load_network
from models.speed.tiers import accelerate

MODEL = "wan2.2-t2v-a14b"
_WHAT = f"cold start of {MODEL}, 480p81"
_LIMIT_S = 240.0
_SPAWNED_AT = "BENCH_SPAWNED_AT"


class Phase(NamedTuple):
    """A part of the start; `num_bytes` is what it read from the disk."""

    name: str
    seconds: float
    num_bytes: int = 0


def start(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    """Writes the parts to the disk, starts the process, and reports each phase with its rate where it reads files."""
    with scratch() as folder:
        capped.text_encoder(catalog.get(MODEL).arch.text[0]).save_pretrained(folder / "text_encoder")
        networks.denoiser(MODEL).save_pretrained(folder / "transformer", max_shard_size="5GB")
        networks.release()
        disk = disk_read_gb_s(folder)
        drop_caches()
        found = in_another_process(folder)
    binding = min(disk, ceilings.host_to_device_gb_s or disk)
    for phase in found:
        rate = phase.num_bytes / phase.seconds / 1e9
        add(
            Row(
                what=_WHAT,
                variant=phase.name,
                value=phase.seconds,
                unit="s",
                of_ceiling=rate / binding if rate else None,
                ceiling="disk or host_to_device_gb_s" if rate else "",
                note=f"{phase.num_bytes / 1e9:.1f} GB at {rate:.2f} GB/s, disk {disk:.2f}" if rate else "",
            )
        )
    everything_s = sum(phase.seconds for phase in found)
    add(Row(what=_WHAT, variant="all, to the end of the first forward", value=everything_s, unit="s"))


def in_another_process(folder: Path) -> list[Phase]:
    """The phases of a worker that starts now, with a compiler cache of its own."""
    caches = dict.fromkeys(("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"), str(folder / "compiled"))
    environment = os.environ | caches | {_SPAWNED_AT: repr(time.time())}
    command = [sys.executable, "-m", "bench.cold", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=_LIMIT_S)
    return [Phase(*phase) for phase in json.loads(done.stdout.splitlines()[-1])]


def phases(folder: Path, began_s: float) -> list[Phase]:
    """What a worker that was started at `began_s` (seconds since 1970) does until its first forward is over."""
    found: list[Phase] = []

    def end(name: str, read: Any = None) -> None:
        nonlocal began_s
        networks.synchronize()
        now_s = time.time()
        found.append(Phase(name, now_s - began_s, 0 if read is None else networks.num_bytes(read)))
        began_s = time.time()

    torch.zeros(1, device=networks.CUDA)
    end("interpreter, imports, GPU context")
    chosen = pipeline.exact()
    end("attention kernel through its gate")
    encoder = UMT5EncoderModel.from_pretrained(folder / "text_encoder", dtype=torch.bfloat16).to(networks.CUDA)
    end("text encoder", encoder)
    del encoder
    networks.release()
    experts = []
    for noise in ("high", "low"):
        drop_caches()
        began_s = time.time()
        expert = load_network(WanTransformer3DModel, folder / "transformer", dtype=torch.bfloat16, device=networks.CUDA)
        end(f"{noise}-noise expert", expert)
        experts.append(expert)
    accelerate(experts[0], chosen)
    _, _, grid = networks.work_of(MODEL)
    denoise.call_of(MODEL, experts[0], networks.inputs(MODEL, grid))()
    end("first forward, compiled on the way")
    return found


if __name__ == "__main__":
    print(json.dumps(phases(Path(sys.argv[1]), float(os.environ[_SPAWNED_AT]))))
