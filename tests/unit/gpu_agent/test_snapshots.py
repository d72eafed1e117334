"""The writer of periodic checkpoints: what costs one checkpoint must not cost those of all later jobs."""

import errno
import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from gpu_agent.cadence import Cadence
from gpu_agent.inputs import generation_request
from gpu_agent.worker.channel import Channel
from gpu_agent.worker.failures import is_disk_error, is_missing_file
from gpu_agent.worker.protocol import CheckpointSaved, RunJob
from gpu_agent.worker.snapshots import CheckpointWriter
from models.interface import Checkpoint
from tests.unit.jobs.made import queued

WAIT_S = 30.0


class Told(Channel):
    """A channel without a pipe: what the worker tells the agent."""

    def __init__(self) -> None:
        self.sent: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def send(self, message: Any) -> None:
        self.sent.put(message)


class Unwritable(Checkpoint):
    """A checkpoint whose `save` meets what a test says."""

    def save(self, path: Path) -> None:
        self.state["met"](path)


def checkpoint(step: int, met: Callable[[Path], None] | None = None) -> Checkpoint:
    of = Checkpoint if met is None else Unwritable
    return of(step=step, total=20, fingerprint="f", fields={}, state={"met": met} if met else {}, tensors={})


def job_in(folder: Path) -> RunJob:
    job = queued()
    return RunJob(
        job_id=job.id,
        attempt=1,
        request=generation_request(job, image=None, loras=()),
        directory=folder,
        resume=None,
        cadence=Cadence(interval_s=1.0, max_overhead=0.5),
        total_frames=33,
    )


def into_a_folder_that_is_gone(path: Path) -> None:
    save_file({"latents": torch.zeros(2)}, path.parent / "gone" / path.name)


def onto_a_full_disk(_: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def into_a_defect(_: Path) -> None:
    raise RuntimeError("a tensor of another device")


@pytest.mark.parametrize("met", [into_a_folder_that_is_gone, onto_a_full_disk, into_a_defect])
def test_given_a_checkpoint_that_cannot_be_written_then_it_is_logged_and_the_next_one_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], met: Callable[[Path], None]
) -> None:
    told = Told()
    writer = CheckpointWriter(told)
    job = job_in(tmp_path)

    writer.write_later(job, checkpoint(3, met), 0.1)
    writer.write_later(job, checkpoint(4), 0.1)

    saved = told.sent.get(timeout=WAIT_S)
    assert isinstance(saved, CheckpointSaved)
    assert saved.step == 4
    assert "checkpoint not written" in capfd.readouterr().out


@pytest.mark.parametrize("met", [into_a_folder_that_is_gone, onto_a_full_disk])
def test_given_a_stop_when_the_disk_does_not_take_the_checkpoint_then_there_is_none(
    tmp_path: Path, met: Callable[[Path], None]
) -> None:
    assert CheckpointWriter(Told()).write_now(job_in(tmp_path), checkpoint(3, met), 0.1) is None


def test_given_a_stop_when_the_checkpoint_meets_a_defect_then_it_is_raised(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        CheckpointWriter(Told()).write_now(job_in(tmp_path), checkpoint(3, into_a_defect), 0.1)


class SafetensorError(Exception):
    """Stands in for the library's own, which is told by its name."""


def test_given_the_words_of_a_rust_library_then_its_error_number_tells_the_disk_from_a_missing_file() -> None:
    missing = SafetensorError("I/O error: No such file or directory (os error 2)")
    full = SafetensorError("I/O error: No space left on device (os error 28)")

    assert (is_missing_file(missing), is_disk_error(missing)) == (True, False)
    assert (is_missing_file(full), is_disk_error(full)) == (False, True)
    assert not is_disk_error(SafetensorError("Invalid exchange (os error 52)"))  # which begins as EIO, 5, does
