"""A look for work whose inputs do not come: given back where time or another machine may do better, else the job's."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.exceptions import RetriesExceededError
from botocore.exceptions import ClientError, EndpointConnectionError
from PIL import UnidentifiedImageError
from s3transfer.exceptions import RetriesExceededError as TransferGivenUp

from gpu_agent import slot as slots
from gpu_agent.inputs import Inputs
from jobs.clock import now
from jobs.job import Job
from jobs.states import State
from tests.unit.gpu_agent.test_slot import Bay, ScriptedWorker
from tests.unit.jobs.cloud import fake_cloud
from tests.unit.jobs.made import queued

PRIVATE = "arn:aws:sts::123456789012:assumed-role/agent is not authorized: arn:aws:s3:::media/inputs/face.png"


@pytest.fixture
def bay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bay]:
    monkeypatch.setattr(slots, "WorkerProcess", ScriptedWorker)
    with fake_cloud(monkeypatch):
        yield Bay(tmp_path)


def refusal(code: str, status: int, operation: str = "GetObject") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": PRIVATE}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


def broken_download() -> RetriesExceededError:
    """As boto3 raises it once the connection has broken five times."""
    last: Any = TimeoutError("read")
    error = RetriesExceededError(last)
    error.__context__ = TransferGivenUp(last)
    return error


def waiting(bay: Bay, *, age_s: float) -> Job:
    at = now() - age_s
    job = queued(created_at=at, updated_at=at, queued_at=at)
    assert bay.context.store.create(job)
    bay.context.queues.send(job)
    return job


def refuse(bay: Bay, monkeypatch: pytest.MonkeyPatch, job: Job, error: Exception) -> None:
    """Of this job's inputs one does not come."""
    sound = bay.context.fetcher.fetch

    def fetch(asked: Job) -> Inputs:
        if asked.id == job.id:
            raise error
        return sound(asked)

    monkeypatch.setattr(bay.context.fetcher, "fetch", fetch)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (refusal("403", 403, "HeadObject"), "ClientError: HeadObject was refused with 403"),
        (refusal("AccessDenied", 403), "ClientError: GetObject was refused with AccessDenied"),
        (refusal("InvalidObjectState", 403), "ClientError: GetObject was refused with InvalidObjectState"),
        (refusal("KMS.DisabledException", 400), "ClientError: GetObject was refused with KMS.DisabledException"),
        (UnidentifiedImageError(f"cannot identify {PRIVATE}"), "UnidentifiedImageError: an input cannot be read"),
    ],
)
def test_given_an_input_that_is_refused_for_good_then_its_job_is_blamed_and_the_owners_next_one_runs(
    bay: Bay, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    refused, next_one = waiting(bay, age_s=100.0), waiting(bay, age_s=99.0)
    refuse(bay, monkeypatch, refused, error)

    bay.slot.lookout.turn()
    bay.turn()
    after = bay.now(refused)
    bay.slot.lookout.turn()
    bay.turn()

    assert (after.status, after.crashes, after.attempts[-1].reason) == (State.QUEUED, 1, told), "its owner reads that"
    assert bay.worker.started == [next_one.id]


@pytest.mark.parametrize(
    "error",
    [
        refusal("SlowDown", 503),
        refusal("ExpiredToken", 400),
        EndpointConnectionError(endpoint_url="https://s3"),
        broken_download(),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EMFILE, "Too many open files"),
    ],
    ids=lambda error: f"{type(error).__name__}-{error}"[:40],
)
def test_given_an_input_that_does_not_come_now_then_its_job_waits_unblamed_and_the_loop_hears_of_it(
    bay: Bay, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    job = waiting(bay, age_s=100.0)
    refuse(bay, monkeypatch, job, error)

    with pytest.raises(type(error)):
        bay.slot.lookout.turn()
    bay.turn()

    assert (bay.now(job).status, bay.now(job).attempt) == (State.QUEUED, 0)
    assert bay.context.hands.empty
