"""Whole generations through the engine: seconds by phase, what checkpoints cost, and resuming in another process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench import denoise, in_memory, networks
from bench.record import Row
from models.interface import Checkpoint, GenerationStopped, Step
from models.speed.ceilings import Ceilings
from models.speed.tiers import NONE, Acceleration

STEPS = 4
PUBLISHED_STEPS = 40
# The agent's default, gpu_agent.settings: seconds between two periodic checkpoints.
CHECKPOINT_INTERVAL_S = 120.0


def exact() -> Acceleration:
    return denoise.exact(in_memory.MODEL)


def whole(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    """Four steps of Wan A14B 480p with guidance, stock and ours; forty by the seconds of a step. Four steps without
    guidance are the path of distilled LoRAs, measured whole. Text encoding and H.264 are left out of all alike."""
    del ceilings
    stock = _phases(in_memory.engine(NONE, tier=None), guidance=4.0)
    ours = _phases(in_memory.engine(exact()), guidance=4.0)
    quick = _phases(in_memory.engine(denoise.fast(in_memory.MODEL), tier="fast"), guidance=1.0)
    published = {name: found["fixed"] + PUBLISHED_STEPS * found["step"] for name, found in (("s", stock), ("o", ours))}
    for name, found in (("stock", stock), ("exact", ours), ("fast, 4 steps, no guidance", quick)):
        note = ", ".join(f"{phase} {seconds:.2f} s" for phase, seconds in found.items())
        add(Row(what="wan2.2-t2v-a14b 480p81, 4 steps", variant=name, value=found["all"], unit="s", note=note))
    what = "wan2.2-t2v-a14b 480p81, 40 steps (computed from a step's seconds)"
    add(Row(what=what, variant="stock", value=published["s"], unit="s"))
    add(Row(what=what, variant="exact", value=published["o"], unit="s", speedup=published["s"] / published["o"]))
    add(
        Row(
            what="stock's 40 steps against ours in 4",
            variant="fast, 4 steps, no guidance",
            value=quick["all"],
            unit="s",
            speedup=published["s"] / quick["all"],
            note="random weights: time alone, not quality",
        )
    )


def _phases(model: Any, *, guidance: float) -> dict[str, float]:
    asked = in_memory.request(STEPS, guidance=guidance)
    for _ in in_memory.frames_of(model, in_memory.request(1, guidance=guidance)):
        pass  # warm-up: compiles
    steps: list[float] = []
    began_s = time.perf_counter()
    for _ in in_memory.frames_of(model, asked, on_step=lambda step: steps.append(step.seconds)):
        pass
    all_s = time.perf_counter() - began_s
    model.unload()
    networks.release()
    return {"all": all_s, "step": median(steps), "fixed": all_s - sum(steps)}


def checkpoints(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    """What a snapshot takes of the denoising thread; then the run goes on from step 2 in a fresh process with a
    compiler cache of its own, and must end with the same frames."""
    del ceilings
    chosen = exact()
    model = in_memory.engine(chosen)
    costs: list[float] = []
    steps: list[float] = []
    taken: list[Checkpoint] = []

    def on_step(step: Step) -> None:
        began_s = time.perf_counter()
        checkpoint = step.snapshot()
        costs.append(time.perf_counter() - began_s)
        steps.append(step.seconds)
        if step.index == 2:
            taken.append(checkpoint)

    digest = _digest(model, on_step=on_step)
    model.unload()
    networks.release()
    cost_s, step_s = median(costs), median(steps[1:])
    every = max(CHECKPOINT_INTERVAL_S, step_s)
    add(
        Row(
            what="checkpoint of Wan A14B 480p81",
            variant="exact",
            value=cost_s,
            unit="s",
            repeats=len(costs),
            note=f"{cost_s / every:.2e} of the denoising at one in {every:.0f} s; {cost_s / step_s:.2e} of a step",
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        began_s = time.perf_counter()
        taken[0].save(path)
        add(Row(what="checkpoint to disk", variant="exact", value=time.perf_counter() - began_s, unit="s"))
        resumed = in_another_process(path)
    add(
        Row(
            what="frames after resuming from step 2 in another process",
            variant="exact",
            value=float(resumed == digest),
            unit="bit-identical",
            note=f"{digest[:12]} and {resumed[:12]}",
        )
    )


def in_another_process(path: Path) -> str:
    """As `resume`, in a fresh process that compiles everything anew."""
    caches = dict.fromkeys(("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"), str(path.parent))
    command = [sys.executable, "-m", "bench.resume", str(path)]
    done = subprocess.run(command, env=os.environ | caches, capture_output=True, text=True, check=True, timeout=240)
    return done.stdout.split()[-1]


def resume(path: Path) -> str:
    """The digest of the frames of the run that goes on from the file."""
    return _digest(in_memory.engine(exact()), resume=Checkpoint.load(path))


def _digest(model: Any, **given: Any) -> str:
    digest = hashlib.sha256()
    try:
        for frame in in_memory.frames_of(model, in_memory.request(STEPS), **given):
            digest.update(frame.tobytes())
    except GenerationStopped:
        raise AssertionError("nothing stops it") from None
    return digest.hexdigest()
