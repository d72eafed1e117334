"""The first instance of a type measures it; the others, and the estimate, take its figures over."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from gpu_agent import first_boot
from gpu_agent.offers import Gpu, estimate_slot
from jobs.fleet import Abilities, FleetStore, Measured

GPUS = (Gpu(index=0, name="NVIDIA A10G", memory_mib=23028),)
FOUND = Measured(matmul_tf_s=61.5, load_gib_s=1.1, measured_at=5.0)


class KnownFleet:
    """A fleet store that holds these reports and nothing else."""

    def __init__(self, *reports: Abilities) -> None:
        self._reports = list(reports)

    def abilities(self) -> list[Abilities]:
        return self._reports


def fleet(*reports: Abilities) -> FleetStore:
    return cast(FleetStore, KnownFleet(*reports))


def report(kind: str, measured: Measured | None) -> Abilities:
    return Abilities(kind=kind, slot="A10Gx1", reported_at=1.0, measured=measured)


def test_given_another_instances_figures_then_nothing_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_benchmark(*_: Any, **__: Any) -> Any:
        raise AssertionError("measured although it is known")

    monkeypatch.setattr(subprocess, "run", no_benchmark)

    found = first_boot.measured(
        fleet(report("g6.12xlarge", None), report("g5.12xlarge", FOUND)), "g5.12xlarge", GPUS, tmp_path
    )

    assert found == FOUND


def test_given_no_gpu_then_nothing_is_measured(tmp_path: Path) -> None:
    assert first_boot.measured(fleet(), "local", (), tmp_path) is None


def test_given_a_benchmark_that_fails_then_the_published_figures_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    assert first_boot.measured(fleet(), "g5.12xlarge", GPUS, tmp_path) is None
    assert estimate_slot("A10Gx1", kind="g5.12xlarge", measured=None) == estimate_slot("A10Gx1", kind="g5.12xlarge")


def test_the_slower_of_disk_and_bus_is_what_loading_is_reckoned_with() -> None:
    ceilings = {"disk_gb_s": 2.0, "host_to_device_gb_s": 20.0, "matmul_tf_s": 66.0, "measured_at": 9.0}

    found = first_boot.from_ceilings(json.loads(json.dumps(ceilings)))

    assert found.load_gib_s == pytest.approx(0.8 * 2e9 / 2**30)
    slot = estimate_slot("A10Gx4", kind="g5.12xlarge", measured=found)
    assert slot is not None
    assert (slot.kind.matmul_tf_s, slot.kind.matmul_source) == (66.0, "measured")


def test_the_benchmarks_own_command_answers_in_json(tmp_path: Path) -> None:
    """On this machine it is a CPU's, which has neither bus nor disk figures: an error that names what is missing."""
    done = subprocess.run(
        [sys.executable, "-m", "models.speed.ceilings", str(tmp_path)], capture_output=True, text=True, check=True
    )

    ceilings = json.loads(done.stdout)
    assert ceilings["matmul_tf_s"] > 0
    if ceilings["device"] == "cpu":
        with pytest.raises((KeyError, TypeError)):
            first_boot.from_ceilings(ceilings)
