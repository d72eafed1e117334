"""`python -m bench`: runs the sections one after the other, each in a process of its own, and prints their tables.

A section that fails or takes too long costs its own rows and nothing else.
"""

from __future__ import annotations

import argparse
import datetime
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

from bench.record import Row, Section, table
from bench.sections import ON_REQUEST, SECTIONS
from models.placement import ALLOC_CONF


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--sections", help=f"names, by commas, of {', '.join(SECTIONS)}; all that one GPU can run if left out"
    )
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder of the JSON files")
    parser.add_argument("--limit-s", type=float, default=float("inf"), help="start no section after so many seconds")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # the process of one section
    given = parser.parse_args()
    names = given.sections.split(",") if given.sections else [name for name in SECTIONS if name not in ON_REQUEST]
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    given.out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if given.here:
        return run_here(names[0], given.out)
    began_s = time.monotonic()
    failures = 0
    for name in names:
        left_s = given.limit_s - (time.monotonic() - began_s)
        if left_s < 20:
            print(f"-- {name}: no time left", flush=True)
            continue
        failures += run_apart(name, given.out, min(left_s, SECTIONS[name].limit_s))
    return 1 if failures else 0


def run_apart(name: str, out: Path, limit_s: float) -> int:
    """Runs one section in a process; 1 if it failed."""
    command = [sys.executable, "-m", "bench", "--here", "--sections", name, "--out", str(out)]
    environment = {"PYTORCH_ALLOC_CONF": ALLOC_CONF} | os.environ  # as the agent's workers have it
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        return int(process.wait(limit_s) != 0)
    except subprocess.TimeoutExpired:
        print(f"-- {name}: stopped after {limit_s:.0f} s", flush=True)
        return 1
    finally:
        # Also where this process is told to end: what goes on beside the next run would spoil its figures.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run_here(name: str, out: Path) -> int:
    """One section in this process. What it found is kept row by row."""
    import torch

    if not torch.cuda.is_available():
        print("the benchmark needs an NVIDIA GPU", file=sys.stderr)
        return 2
    from models.speed.ceilings import measure

    began_s = time.monotonic()
    ceilings = measure(torch.device("cuda"))
    section = Section(
        name=name,
        machine=ceilings.device,
        software=f"torch {torch.__version__}",
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        ceilings=ceilings.model_dump(),
    )

    def add(row: Row) -> None:
        section.rows.append(row)
        section.seconds = time.monotonic() - began_s
        section.save(out)

    try:
        SECTIONS[name].run(ceilings, add)
    except Exception as error:  # noqa: BLE001 - the rows so far are kept, and the reason with them
        traceback.print_exc()
        section.failed.append(f"{type(error).__name__}: {str(error)[:500]}")
    section.seconds = time.monotonic() - began_s
    section.save(out)
    print(table(section), flush=True)
    return 1 if section.failed else 0


if __name__ == "__main__":
    sys.exit(main())
