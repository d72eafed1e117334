"""The doctor at a deployment's door: weights in a bucket, and a video that is really asked for, over HTTP."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.doctor import deployment
from cli.doctor.finding import Finding, Status
from cli.doctor.smoke import smoke
from cli.session import Session
from jobs import s3_keys
from jobs.states import State
from models.weights.bucket import WeightsBucket
from models.weights.manifest import FileEntry, Manifest, Origin
from tests.unit.cli.studio import Studio
from tests.unit.jobs.cloud import BUCKET

MODEL = "wan2.2-t2v-a14b"
REVISION = "0" * 40
FILES = {"model_index.json": b"{}", "vae/weights.safetensors": b"x" * 1000}


def given_weights(folder: Path) -> None:
    """A whole set, put there as a pull puts it."""
    store = WeightsBucket(boto3.client("s3"), BUCKET, root=s3_keys.WEIGHTS)
    entries = []
    for name, content in FILES.items():
        path = folder / name.replace("/", "-")
        path.write_bytes(content)
        entries.append(FileEntry(path=name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest()))
        store.put(MODEL, REVISION, entries[-1], path)
    origin = Origin(name="hub/model", revision=REVISION)
    store.put_manifest(Manifest(model=MODEL, revision=REVISION, origins=(origin,), files=tuple(entries)))


def clients(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


def weights() -> Finding:
    return deployment.weights(clients, BUCKET, MODEL)


def test_given_no_weights_then_the_pull_that_brings_them(studio: Studio) -> None:
    found = weights()

    assert (found.status, found.next_step) == (Status.FAILURE, f"revalida weights pull {MODEL}")


def test_given_weights_then_whole_and_not_whole_once_a_file_is_short_or_gone(studio: Studio, tmp_path: Path) -> None:
    given_weights(tmp_path)
    assert weights().status is Status.OK

    studio.cloud.put(f"weights/{MODEL}/{REVISION}/vae/weights.safetensors", b"x" * 999)
    short = weights()
    studio.cloud.s3.delete_object(Bucket=BUCKET, Key=f"weights/{MODEL}/{REVISION}/model_index.json")
    gone = weights()

    assert (short.status, short.found) == (Status.FAILURE, "1 of 2 files not whole, the first: vae/weights.safetensors")
    assert gone.found.startswith("2 of 2 files not whole")


def test_given_a_bucket_that_may_not_be_read_then_a_failure_and_no_exception(studio: Studio) -> None:
    found = deployment.weights(clients, "somebody-elses", MODEL)

    assert found.status is Status.FAILURE
    assert "somebody-elses" in found.found


@contextmanager
def agent(studio: Studio, *, ends_well: bool) -> Iterator[None]:
    """Takes the first job that waits, and ends it."""

    def work() -> None:
        while not stopped.is_set():
            with studio.lock:
                waiting = list(studio.store.in_state(State.QUEUED))
            for job in waiting:
                if ends_well:
                    studio.complete(job.id)
                else:
                    with studio.lock:
                        studio.store.cancel(job.id, owner="default")
            time.sleep(0.05)

    stopped = threading.Event()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@pytest.mark.parametrize(("ends_well", "status"), [(True, Status.OK), (False, Status.FAILURE)])
def test_given_a_smoke_job_then_its_video_decides(studio: Studio, ends_well: bool, status: Status) -> None:
    with agent(studio, ends_well=ends_well):
        found = smoke(Session(as_json=True), timeout_s=60.0)

    assert found.status is status
    assert "video_" in found.found
    assert studio.posts() == ["/v1/videos"]


def test_given_no_fleet_then_the_smoke_job_says_how_to_follow_it(studio: Studio) -> None:
    found = smoke(Session(as_json=True), timeout_s=0.1)

    assert found.status is Status.FAILURE
    assert found.next_step.startswith("revalida watch video_")


def test_given_no_key_then_the_smoke_job_says_what_is_missing() -> None:
    found = smoke(Session(as_json=True))

    assert found.status is Status.FAILURE
    assert found.next_step
