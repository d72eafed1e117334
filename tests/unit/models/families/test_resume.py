"""Stopped after any step and resumed in another process, the frames are those of the uninterrupted run."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.unit.models.families import cases

FAMILIES = sorted({case.family for case in cases.CASES.values()})


@pytest.mark.parametrize("family", FAMILIES)
def test_given_a_stop_after_any_step_when_resumed_in_a_fresh_process_frames_are_identical(
    family: str, weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    tasks = []
    uninterrupted = {}
    for case in (case for case in cases.CASES.values() if case.family == family):
        folder = weights_of(case.name)
        model = cases.load(case, folder)
        for scheduler in case.schedulers:
            asked = cases.request(case, folder, scheduler=scheduler)
            uninterrupted[case.name, scheduler] = cases.frames_of(model, asked)
            for step in range(1, cases.STEPS + 1):
                name = f"{case.name}-{scheduler}-{step}"
                checkpoint = tmp_path / f"{name}.safetensors"
                cases.checkpoint_after(model, asked, step).save(checkpoint)
                tasks.append(
                    {
                        "case": case.name,
                        "scheduler": scheduler,
                        "step": step,
                        "weights": str(folder),
                        "checkpoint": str(checkpoint),
                        "result": str(tmp_path / f"{name}.npz"),
                    }
                )

    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    worker = [sys.executable, "-m", "tests.unit.models.families.resume_worker", str(tmp_path / "tasks.json")]
    subprocess.run(worker, check=True, timeout=500)

    for task in tasks:
        result = np.load(str(task["result"]))
        where = f"{task['case']} with {task['scheduler']}, stopped after step {task['step']}"
        expected = uninterrupted[str(task["case"]), str(task["scheduler"])]
        np.testing.assert_array_equal(result["frames"], expected, err_msg=where)
        assert result["steps"].tolist() == list(range(int(str(task["step"])) + 1, cases.STEPS + 1)), where
