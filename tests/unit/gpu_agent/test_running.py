"""What is known of the job under way when a notice comes."""

from pathlib import Path
from typing import Any

import pytest

from gpu_agent.held import HeldJob
from gpu_agent.running import UNKNOWN_CHECKPOINT_BYTES, Running
from gpu_agent.worker.protocol import CheckpointSaved
from tests.unit.jobs.made import queued


def with_checkpoint(path: Path) -> Running:
    lease: Any = None
    saved = CheckpointSaved(job_id="j", attempt=1, step=3, path=path, cost_s=0.1, save_s=0.1)
    return Running(held=HeldJob(queued(attempt=1), message=None, directory=path.parent), lease=lease, saved=saved)


def test_given_a_checkpoint_then_its_size_says_how_long_the_upload_takes(tmp_path: Path) -> None:
    path = tmp_path / "step.safetensors"
    path.write_bytes(bytes(50))

    assert with_checkpoint(path).under_way(upload_bytes_per_s=10.0).upload_s == 5.0


def test_given_an_upload_that_takes_its_file_away_after_a_look_for_it_then_the_usual_size_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda self, **_: True)  # and is gone before its size is read

    work = with_checkpoint(tmp_path / "gone").under_way(upload_bytes_per_s=UNKNOWN_CHECKPOINT_BYTES)

    assert work.upload_s == 1.0
