"""Whose checkpoint of a step stands in the bucket, when several attempts of a job reach that step."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from gpu_agent.checkpoints import CheckpointStore
from gpu_agent.held import HeldJob
from gpu_agent.worker.protocol import CheckpointSaved
from jobs import s3_keys
from jobs.job import Job
from tests.unit.jobs.cloud import BUCKET, Cloud, fake_cloud
from tests.unit.jobs.made import queued

WAIT_S = 30.0
STEP = 12


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with fake_cloud(monkeypatch) as made:
        yield made


def save(folder: Path, job: Job, attempt: int, body: bytes, *, s3: Any = None) -> HeldJob:
    """`attempt` of `job`, begun at step 0, has written `body` after step 12 and uploads it."""
    path = folder / f"{attempt}-{body.decode()}.safetensors"
    path.write_bytes(body)
    held = HeldJob(job.model_copy(update={"attempt": attempt}), message=None, directory=folder)
    saved = CheckpointSaved(job_id=job.id, attempt=attempt, step=STEP, path=path, cost_s=0.1, save_s=0.1)
    store = CheckpointStore(s3 or boto3.client("s3"), BUCKET, bytes_per_s=1e6)
    store.flush(held, saved, WAIT_S)
    store.close()
    return held


def standing(cloud: Cloud, job: Job) -> bytes:
    return cloud.read(s3_keys.checkpoint(job.id, STEP))


def test_given_an_older_attempts_file_when_a_newer_one_reaches_its_step_then_the_newer_file_stands(
    cloud: Cloud, tmp_path: Path
) -> None:
    job = queued()
    save(tmp_path, job, 1, b"A10G")

    held = save(tmp_path, job, 2, b"L4")

    assert standing(cloud, job) == b"L4"
    assert held.checkpoint_step == STEP


def test_given_a_file_that_names_no_attempt_then_it_is_replaced(cloud: Cloud, tmp_path: Path) -> None:
    job = queued()
    cloud.put(s3_keys.checkpoint(job.id, STEP), b"of an agent of before")

    save(tmp_path, job, 2, b"L4")

    assert standing(cloud, job) == b"L4"


def test_given_an_attempt_that_was_given_up_then_it_does_not_overwrite_its_successors_file(
    cloud: Cloud, tmp_path: Path
) -> None:
    job = queued()
    save(tmp_path, job, 2, b"L4")

    save(tmp_path, job, 1, b"A10G")

    assert standing(cloud, job) == b"L4"


class OvertakenS3:
    """The bucket, where a third attempt writes between another's look at what is there and its replacing it."""

    def __init__(self, overtake: Any) -> None:
        self._s3 = boto3.client("s3")
        self._overtake = overtake

    def head_object(self, **asked: Any) -> Any:
        seen = self._s3.head_object(**asked)
        if self._overtake is not None:
            overtake, self._overtake = self._overtake, None
            overtake()
        return seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)


def test_given_a_successor_that_writes_meanwhile_then_its_file_stands(cloud: Cloud, tmp_path: Path) -> None:
    job = queued()
    save(tmp_path, job, 1, b"A10G")

    save(tmp_path, job, 2, b"L4", s3=OvertakenS3(lambda: save(tmp_path, job, 3, b"L40S")))

    assert standing(cloud, job) == b"L40S"
