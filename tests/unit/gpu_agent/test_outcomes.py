"""How attempts end when the end itself goes wrong: tried again where AWS may recover, a crash where nothing will."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from gpu_agent import retrying
from gpu_agent.checkpoints import CheckpointStore
from gpu_agent.choice import ChoicePolicy
from gpu_agent.held import Hands, HeldJob
from gpu_agent.lease import Lease
from gpu_agent.outcomes import Outcomes
from gpu_agent.source import WorkSource
from gpu_agent.worker.protocol import LoraTrained, VideoEncoded
from jobs.job import Job
from jobs.queue import JobQueues
from jobs.states import State
from jobs.store import JobStore
from jobs.training import TrainingBody, TrainingPlan, settings_of
from models import catalog
from tests.unit.jobs.cloud import BUCKET, PREFIX, TABLE, Cloud, fake_cloud
from tests.unit.jobs.made import queued

LEASE_S = 60.0


class FlakyS3:
    """The bucket, but the first calls of `upload_file` raise what a test says."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self._s3 = boto3.client("s3")

    def upload_file(self, *args: Any, **options: Any) -> None:
        if self._errors:
            raise self._errors.pop(0)
        self._s3.upload_file(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)


class Desk:
    """One attempt in hand, and the outcomes that end it."""

    def __init__(self, folder: Path, s3: Any) -> None:
        self.store, self.queues = JobStore(TABLE), JobQueues(PREFIX)
        job = queued()
        assert self.store.create(job)
        self.queues.send(job)
        message = self.queues.receive("wan-mini", wait_s=0)
        claimed = self.store.claim(job.id, instance_id="i-1", slot="cpu", lease_s=LEASE_S)
        self.store.heartbeat(job.id, 1, lease_s=LEASE_S, step=8, total_steps=8)
        self.folder = folder / job.id
        self.folder.mkdir()
        self.held = HeldJob(claimed, message=message, directory=self.folder)
        self.held.advance(step=8, total_steps=8)
        options = {"lease_s": LEASE_S, "heartbeat_s": LEASE_S, "progress_s": LEASE_S}
        self.lease = Lease(self.held, store=self.store, queues=self.queues, **options)
        self.hands = Hands()
        self.hands.begin_looking()
        self.hands.end_looking(found=True)
        self.hands.take(self.held)
        self.outcomes = Outcomes(
            store=self.store,
            source=WorkSource(
                store=self.store, queues=self.queues, policy=ChoicePolicy(), poll_wait_s=0, lease_s=LEASE_S
            ),
            checkpoints=CheckpointStore(s3, BUCKET, bytes_per_s=1e6),
            hands=self.hands,
            s3=s3,
            bucket=BUCKET,
            slot_usd_per_hour=3.6,
        )

    def encoded(self) -> VideoEncoded:
        """The finished files, as the worker reports them."""
        files = {name: self.folder / name for name in ("video.mp4", "thumbnail.jpg", "spritesheet.jpg")}
        for path in files.values():
            path.write_bytes(b"finished")
        video, thumbnail, spritesheet = files.values()
        return VideoEncoded(
            job_id=self.held.id,
            attempt=1,
            video=video,
            thumbnail=thumbnail,
            spritesheet=spritesheet,
            width=128,
            height=128,
            num_frames=33,
            fps=16,
            bytes=8,
            seconds=2.06,
            encode_s=0.1,
        )

    def job(self) -> Job:
        return self.store.get(self.held.id)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr(retrying, "RETRY_BASE_S", 0.0)
    with fake_cloud(monkeypatch) as made:
        yield made


def refusal(code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "PutObject")


def test_given_a_finished_file_that_vanishes_when_uploading_then_the_attempt_is_a_crash_with_its_reason(
    cloud: Cloud, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, boto3.client("s3"))
    encoded = desk.encoded()
    encoded.thumbnail.unlink()

    desk.outcomes.completed(desk.held, desk.lease, encoded)

    job = desk.job()
    assert (job.status, job.crashes, job.attempts[-1].outcome) == (State.QUEUED, 1, "crashed")
    assert "FileNotFoundError" in (job.attempts[-1].reason or "")
    assert [body["job_id"] for body in cloud.messages()] == [job.id]
    assert desk.hands.empty


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://s3"),
        ConnectionResetError("peer"),
        refusal("SlowDown", 503),
        refusal("InternalError", 500),
        refusal("RequestTimeout", 400),
    ],
    ids=["endpoint", "reset", "slow-down", "internal", "timeout"],
)
def test_given_an_error_that_passes_when_uploading_then_it_is_tried_again_and_the_job_completes(
    cloud: Cloud, tmp_path: Path, error: Exception
) -> None:
    desk = Desk(tmp_path, FlakyS3(error, error))

    desk.outcomes.completed(desk.held, desk.lease, desk.encoded())

    assert desk.job().status is State.COMPLETED
    assert len(cloud.object_keys("videos/")) == 3


def test_given_a_bucket_that_refuses_for_good_then_the_attempt_is_a_crash_and_not_a_loop(
    cloud: Cloud, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, FlakyS3(refusal("AccessDenied", 403)))

    desk.outcomes.completed(desk.held, desk.lease, desk.encoded())

    assert "AccessDenied" in (desk.job().attempts[-1].reason or "")
    assert desk.job().attempts[-1].outcome == "crashed"


def test_given_a_completion_that_can_never_be_written_then_the_attempt_is_a_crash(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path, boto3.client("s3"))

    def complete(*args: object, **options: object) -> Job:
        raise OSError("a local file is gone")

    monkeypatch.setattr(desk.store, "complete", complete)

    desk.outcomes.completed(desk.held, desk.lease, desk.encoded())

    assert desk.job().attempts[-1].outcome == "crashed"
    assert desk.hands.empty


def test_given_an_attempt_that_was_lost_when_its_upload_fails_then_nothing_is_written(
    cloud: Cloud, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, FlakyS3(refusal("SlowDown", 503)))
    desk.held.lost.set()
    before = desk.job()

    desk.outcomes.completed(desk.held, desk.lease, desk.encoded())

    assert desk.job() == before
    assert desk.hands.empty


class LostOnTheWay(FlakyS3):
    """A heartbeat learns, while the video is uploaded, that the attempt is lost."""

    held: HeldJob

    def upload_file(self, *args: Any, **options: Any) -> None:
        self.held.lost.set()
        super().upload_file(*args, **options)


def trained(desk: Desk) -> None:
    """The attempt has learned a character."""
    lora = desk.folder / "lora.safetensors"
    lora.write_bytes(b"a face")
    asked = settings_of(TrainingBody(), catalog.get("wan-mini"), trigger="ana", seed=1)
    plan = TrainingPlan(
        character_id="character_a", name="Ana", version=1, trigger="ana", lora="character_a.v1", references=(),
        settings=asked,
    )  # fmt: skip
    desk.held.job = desk.held.job.model_copy(update={"training": plan})
    desk.held.trained = LoraTrained(
        job_id=desk.held.id, attempt=1, files={"high_noise": lora}, exports={"high_noise": lora}, seconds_by_phase={}
    )


@pytest.mark.parametrize("s3_kind", [FlakyS3, LostOnTheWay], ids=["the-last-write", "a-heartbeat"])
def test_given_a_character_that_is_deleted_while_its_lora_is_uploaded_then_none_is_left_whoever_notices(
    cloud: Cloud, tmp_path: Path, s3_kind: type[FlakyS3]
) -> None:
    s3 = s3_kind()
    desk = Desk(tmp_path, s3)
    trained(desk)
    if isinstance(s3, LostOnTheWay):
        s3.held = desk.held
    encoded = desk.encoded()
    desk.store.delete(desk.held.id, owner=desk.held.job.owner)

    desk.outcomes.completed(desk.held, desk.lease, encoded)

    assert cloud.object_keys("loras/") == []
    assert desk.hands.empty


def test_given_a_lora_of_an_attempt_that_lost_its_lease_alone_then_it_stays_for_the_next_attempt(
    cloud: Cloud, tmp_path: Path
) -> None:
    s3 = LostOnTheWay()
    desk = Desk(tmp_path, s3)
    trained(desk)
    s3.held = desk.held

    desk.outcomes.completed(desk.held, desk.lease, desk.encoded())

    assert len(cloud.object_keys("loras/")) == 2
