"""The fresh process of `test_resume`: resumes checkpoints and writes the frames it gets.

python -m tests.unit.models.families.resume_worker <tasks.json>
"""

import json
import sys
from functools import cache
from pathlib import Path

import numpy as np

from models.common.engine import DiffusersVideoModel
from models.interface import Checkpoint
from tests.unit.models.families import cases


@cache
def _model(name: str, folder: Path) -> DiffusersVideoModel:
    return cases.load(cases.CASES[name], folder)


def main(tasks_file: Path) -> None:
    for task in json.loads(tasks_file.read_text()):
        case, folder = cases.CASES[task["case"]], Path(task["weights"])
        asked = cases.request(case, folder, scheduler=task["scheduler"])
        steps: list[int] = []
        frames = cases.frames_of(
            _model(case.name, folder),
            asked,
            resume=Checkpoint.load(Path(task["checkpoint"])),
            on_step=lambda step, steps=steps: steps.append(step.index),  # type: ignore[misc]
        )
        np.savez(task["result"], frames=frames, steps=np.array(steps, dtype=int))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
