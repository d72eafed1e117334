"""What an instance's own GPU and disk reach: measured once for each instance type, and kept with its abilities.

Published rates are the maker's; a rented card is throttled, shared or new. The estimate, and with it quotes, scaling
and placement, then rests on what the first instance of the type found. The benchmark runs in a process of its own: the
agent loads no torch.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gpu_agent.logs import logger
from gpu_agent.offers import Gpu
from jobs.fleet import FleetStore, Measured

BENCHMARK_S = 180.0
# Of the slower of disk and bus: what models.speed.fast_load is held to by its benchmark.
_LOADING_SHARE = 0.8


def measured(fleet: FleetStore, kind: str, gpus: Sequence[Gpu], weights_dir: Path) -> Measured | None:
    """The instance type's figures: those that another instance reported, else this one's. None without a GPU, or if the
    benchmark fails, which the log then says; the published figures stand in."""
    if not gpus:
        return None
    known = next((report.measured for report in fleet.abilities() if report.kind == kind), None)
    return known or _benchmark(weights_dir)


def _benchmark(weights_dir: Path) -> Measured | None:
    command = [sys.executable, "-m", "models.speed.ceilings", str(weights_dir)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BENCHMARK_S, check=True)
        found = from_ceilings(json.loads(done.stdout))
    except (subprocess.SubprocessError, OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("first-boot benchmark failed", extra={"error": repr(error)[:500]})
        return None
    logger.info("first-boot benchmark", extra=found.model_dump())
    return found


def from_ceilings(ceilings: dict[str, float]) -> Measured:
    """From the benchmark's JSON. Raises KeyError, ValueError."""
    bytes_per_s = 1e9 * min(ceilings["disk_gb_s"], ceilings["host_to_device_gb_s"])
    return Measured(
        matmul_tf_s=ceilings["matmul_tf_s"],
        load_gib_s=_LOADING_SHARE * bytes_per_s / 2**30,
        measured_at=ceilings["measured_at"],
    )
