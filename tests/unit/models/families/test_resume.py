"""Stopped after any step and resumed in another process, the frames are those of the uninterrupted run."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.common.engine import DiffusersVideoModel
from models.interface import Step
from tests.unit.models.families import cases

FAMILIES = sorted({case.family for case in cases.CASES.values()})


@dataclass(frozen=True)
class Task:
    """One checkpoint to resume, and where the fresh process writes what it gets."""

    family: str
    case: str
    scheduler: str | None
    step: int
    weights: str
    checkpoint: str
    result: str


@dataclass(frozen=True)
class Resumed:
    tasks: list[Task]
    uninterrupted: dict[tuple[str, str | None], NDArray[np.uint8]]


@pytest.fixture(scope="module")
def resumed(weights_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Resumed:
    """Every case run once with a checkpoint after every step, and one fresh process that has resumed them all: starting
    a process costs more than all the steps."""
    folder = tmp_path_factory.mktemp("resumed")
    found = Resumed(tasks=[], uninterrupted={})
    for case in cases.CASES.values():
        model = cases.load(case, weights_of(case.name))
        for scheduler in case.schedulers:
            _run(found, case, scheduler, model, weights_of(case.name), folder)
    (folder / "tasks.json").write_text(json.dumps([vars(task) for task in found.tasks]))
    worker = [sys.executable, "-m", "tests.unit.models.families.resume_worker", str(folder / "tasks.json")]
    subprocess.run(worker, check=True, timeout=500)
    return found


def _run(
    found: Resumed, case: cases.Case, scheduler: str | None, model: DiffusersVideoModel, weights: Path, folder: Path
) -> None:
    def save(step: Step) -> None:
        name = f"{case.name}-{scheduler}-{step.index}"
        checkpoint, result = folder / f"{name}.safetensors", folder / f"{name}.npz"
        step.snapshot().save(checkpoint)
        found.tasks.append(
            Task(case.family, case.name, scheduler, step.index, str(weights), str(checkpoint), str(result))
        )

    asked = cases.request(case, weights, scheduler=scheduler)
    found.uninterrupted[case.name, scheduler] = cases.frames_of(model, asked, on_step=save)


@pytest.mark.parametrize("family", FAMILIES)
def test_given_a_stop_after_any_step_when_resumed_in_a_fresh_process_frames_are_identical(
    family: str, resumed: Resumed
) -> None:
    tasks = [task for task in resumed.tasks if task.family == family]

    assert {task.step for task in tasks} == set(range(1, cases.STEPS + 1))
    for task in tasks:
        result = np.load(task.result)
        where = f"{task.case} with {task.scheduler}, stopped after step {task.step}"
        np.testing.assert_array_equal(result["frames"], resumed.uninterrupted[task.case, task.scheduler], err_msg=where)
        assert result["steps"].tolist() == list(range(task.step + 1, cases.STEPS + 1)), where
