"""What a worker says of a job that fails: whose fault it is, and whether the process ends of it."""

from pathlib import Path
from typing import Any

import pytest

from gpu_agent.cadence import Cadence
from gpu_agent.worker.main import Worker
from gpu_agent.worker.protocol import FailureKind, JobFailed, RunJob, SlotSpec
from models.weights.errors import WeightsUnavailable
from tests.unit.gpu_agent.test_extension import Heard
from tests.unit.gpu_agent.test_prefetch import request


def loading_fails(error: Exception, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Worker, Heard, RunJob]:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # what a worker sets for itself
    heard = Heard()
    worker = Worker(heard, SlotSpec(name="cpu", gpus=(), weights_dir=folder))

    def load(job: RunJob) -> Any:
        raise error

    monkeypatch.setattr(worker, "_loaded", load)
    cadence = Cadence(interval_s=60.0, max_overhead=0.05)
    job = RunJob(
        job_id="video_1", attempt=1, request=request(), directory=folder, resume=None, cadence=cadence, total_frames=17
    )
    return worker, heard, job


def test_given_an_error_that_ends_the_process_then_its_last_words_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, heard, job = loading_fails(RuntimeError("CUDA error: illegal address"), tmp_path, monkeypatch)

    with pytest.raises(RuntimeError):
        worker.run(job)

    (said,) = heard.messages
    assert isinstance(said, JobFailed)
    assert (said.kind, said.ends_worker) == (FailureKind.DEVICE, True)


def test_given_an_error_that_the_process_survives_then_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, heard, job = loading_fails(WeightsUnavailable("the bucket does not answer"), tmp_path, monkeypatch)

    worker.run(job)

    (said,) = heard.messages
    assert (said.kind, said.ends_worker) == (FailureKind.MACHINE, False)
