"""One guided step of Wan A14B 480p on 1, 2 and 4 GPUs of one host, with peer-to-peer copies and without.

`python -m bench.parallel CFG ULYSSES FILE` is the process group of one layout; `FILE` holds one GPU's result.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bench import networks
from bench.denoise import difference
from bench.record import Row
from models.estimate import Layout
from models.speed.ceilings import Ceilings
from models.speed.parallel.crew import Crew, Line
from models.speed.parallel.split import split
from models.speed.tiers import accelerate, acceleration
from models.speed.timing import median_s

MODEL = "wan2.2-t2v-a14b"
LAYOUTS = (Layout(cfg=2, ulysses=2), Layout(cfg=2, ulysses=1), Layout(cfg=1, ulysses=2), Layout(cfg=1, ulysses=4))
_WHAT = f"{MODEL} 480p81, a guided step"
_WARM_UP, _REPEATS = 2, 5
_LIMIT_S = 120.0


def scaling(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    """Parallel efficiency and difference from one GPU of every layout that this machine has GPUs for.

    Raises `LookupError` on a machine with one GPU.
    """
    del ceilings
    count = torch.cuda.device_count()
    if count < 2:
        raise LookupError("this section needs 2 or 4 GPUs of one host")
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "one.pt"
        step = _step(torch.device("cuda", 0), None)
        one_s = median_s(step, torch.device("cuda", 0), warm_up=_WARM_UP, repeats=_REPEATS)
        torch.save(step().cpu(), reference)
        del step
        networks.release()
        add(Row(what=_WHAT, variant="1 GPU", value=one_s, unit="s", repeats=_REPEATS))
        for layout in LAYOUTS:
            for blocked in (False, True) if layout.gpus <= count else ():
                add(_row(layout, blocked, reference, one_s))


def _row(layout: Layout, blocked: bool, reference: Path, one_s: float) -> Row:
    environment = os.environ | {"NCCL_P2P_DISABLE": str(int(blocked))}
    command = [sys.executable, "-m", "bench.parallel", str(layout.cfg), str(layout.ulysses), str(reference)]
    variant = f"CFG {layout.cfg} x Ulysses {layout.ulysses}" + (", NCCL_P2P_DISABLE=1" if blocked else "")
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=True)
    except subprocess.SubprocessError as error:
        # The other layouts are still worth measuring.
        return Row(what=_WHAT, variant=variant, value=None, unit="s", note=f"{error}: {_end(error)}")
    found = json.loads(done.stdout.splitlines()[-1])
    efficiency = one_s / found["seconds"] / layout.gpus
    return Row(
        what=_WHAT,
        variant=variant,
        value=found["seconds"],
        unit="s",
        repeats=_REPEATS,
        speedup=one_s / found["seconds"],
        error=found["error"],
        reference="one GPU, bfloat16",
        note=f"parallel efficiency {efficiency:.3f}",
    )


def _end(error: subprocess.SubprocessError) -> str:
    """The end of what the process of a layout wrote to its standard error."""
    written = getattr(error, "stderr", None) or ""
    return (written if isinstance(written, str) else written.decode(errors="replace"))[-600:]


def _step(device: torch.device, layout: Layout | None) -> Callable[[], torch.Tensor]:
    """Both guidance passes of one step; the sum of what they give, so that either one's error shows."""
    torch.cuda.set_device(device)
    torch.manual_seed(11)
    network = networks.denoiser(MODEL)
    accelerate(network, acceleration("exact", device, head_dim=128, linears=None))
    if layout is not None:
        split(network, layout, device)
    torch.manual_seed(12)
    _, _, grid = networks.work_of(MODEL)
    given = [networks.inputs(MODEL, grid) for _ in range(2)]
    given[1]["hidden_states"] = given[0]["hidden_states"]

    def run() -> torch.Tensor:
        with torch.no_grad():
            with network.cache_context("cond"):
                guided: torch.Tensor = network(**given[0])[0]
            with network.cache_context("uncond"):
                unguided: torch.Tensor = network(**given[1])[0]
        return guided + 2 * unguided

    return run


def follow(line: Line, device: torch.device, layout: Layout) -> None:
    """A follower: as many steps as the leader makes."""
    step = _step(device, layout)
    for _ in range(_WARM_UP + _REPEATS + 1):
        step()
    torch.cuda.synchronize(device)
    line.receive()  # nothing comes: the leader ends this process


def lead(layout: Layout, reference: Path) -> dict[str, Any]:
    """Seconds of a step, and the difference of its result from the reference's."""
    crew = Crew(layout.gpus, "cuda", follow, (layout,))
    step = _step(crew.device, layout)
    seconds = median_s(step, crew.device, warm_up=_WARM_UP, repeats=_REPEATS)
    error = difference(step().cpu(), torch.load(reference, weights_only=True))
    crew.close()
    return {"seconds": seconds, "error": error}


if __name__ == "__main__":
    print(json.dumps(lead(Layout(cfg=int(sys.argv[1]), ulysses=int(sys.argv[2])), Path(sys.argv[3]))))
