"""What a worker's process is told before torch is there: its GPUs, and how memory is to be allocated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.placement import ALLOC_CONF

SHOWN = """
import os
from pathlib import Path
from gpu_agent.worker.main import prepare_device
from gpu_agent.worker.protocol import SlotSpec
prepare_device(SlotSpec(name="0", gpus=(), weights_dir=Path("."), cpu_threads=1))
print(os.environ["CUDA_VISIBLE_DEVICES"], os.environ["PYTORCH_ALLOC_CONF"], sep="|")
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, ALLOC_CONF), ({"PYTORCH_ALLOC_CONF": "backend:native"}, "backend:native")],
    ids=["ours", "the operator's"],
)
def test_memory_is_allocated_as_the_placement_reckons_unless_the_operator_says_otherwise(
    given: dict[str, str], expected: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTORCH_ALLOC_CONF"} | given
    folder = Path(__file__).parents[3]

    shown = subprocess.run(
        [sys.executable, "-c", SHOWN], env=environment, cwd=folder, capture_output=True, text=True, check=True
    )

    assert shown.stdout.strip() == f"|{expected}"
