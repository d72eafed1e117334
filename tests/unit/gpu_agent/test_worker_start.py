"""What a worker's process does before its first job."""

import subprocess
import sys
from pathlib import Path

import pytest

from gpu_agent.worker.protocol import SlotSpec, WorkerReady
from gpu_agent.worker_process import WorkerProcess

START_S = 120.0
KILLED = """
import os, signal
from models.common.block_files import folder_for_blocks
folder = folder_for_blocks()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_given_blocks_that_a_killed_worker_left_when_the_next_one_starts_then_they_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert list(tmp_path.iterdir())

    worker = WorkerProcess(SlotSpec(name="cpu", gpus=(), weights_dir=tmp_path / "weights"))

    try:
        assert isinstance(worker.receive(START_S), WorkerReady)
        assert not list(tmp_path.glob("revalida-blocks-*"))
    finally:
        worker.exit()
