"""One slot between the queue and a scripted worker: who is blamed for its death, and when the slot takes no more."""

import errno
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpu_agent import slot as slots
from gpu_agent.agent import make_context
from gpu_agent.clients import connect
from gpu_agent.context import Context
from gpu_agent.fleet import Identity
from gpu_agent.gpu_health import GpuVerdict
from gpu_agent.imds import Notice, NoticeKind
from gpu_agent.settings import AgentSettings
from gpu_agent.slot import Slot
from gpu_agent.worker.protocol import (
    EncoderWorks,
    FailureKind,
    FramesDone,
    JobFailed,
    ModelLoaded,
    PhaseBegan,
    RunJob,
    SlotSpec,
    VideoEncoded,
    WorkerReady,
)
from gpu_agent.worker_process import EXIT_S, WorkerDied
from jobs import clock
from jobs.job import Job
from jobs.states import State
from tests.unit.jobs.cloud import BUCKET, PREFIX, TABLE, Cloud, fake_cloud
from tests.unit.jobs.made import queued


class ScriptedWorker:
    """Stands in for the worker process: says what a test has it say, and remembers what it was told."""

    def __init__(self, spec: SlotSpec) -> None:
        self.words: deque[Any] = deque([WorkerReady(device="cpu", device_name="scripted")])
        self.started: list[str] = []
        self.ended: str | None = None
        self.heard_s = time.monotonic()
        self.gib = 0.0

    def send(self, order: Any) -> None:
        if isinstance(order, RunJob):
            self.started.append(order.job_id)

    def receive(self, timeout_s: float) -> Any:
        word = self.words.popleft() if self.words else None
        if isinstance(word, WorkerDied):
            raise word
        return word

    def host_gib(self) -> float:
        return self.gib

    def exit(self) -> None:
        self.ended = "asked"

    def kill(self) -> None:
        self.ended = self.ended or "killed"

    def terminate(self) -> None:
        self.words.append(WorkerDied(-9))


class AtOnce:
    """Ends attempts before the pump goes on."""

    def submit(self, action: Callable[..., None], *args: Any, **options: Any) -> None:
        action(*args, **options)


class Bay:
    """A slot over the fake AWS, turned by hand."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        quick: dict[str, Any] = {
            "poll_wait_s": 0,
            "scratch_dir": folder,
            "heartbeat_s": 20.0,
            "usd_per_hour": 1.0,
        } | settings
        given = AgentSettings(table=TABLE, media_bucket=BUCKET, queue_prefix=PREFIX, **quick)
        at_once: Any = AtOnce()
        self.context: Context = make_context(
            given,
            connect(poll_wait_s=0),
            Identity(instance_id="i-1", kind="local", is_spot=True),
            lambda: frozenset({"wan-mini"}),
            at_once,
            num_slots=1,
            slot_name="CPUx1",
        )
        self.open()

    def open(self) -> None:
        """Its worker is ready."""
        self.slot = Slot(SlotSpec(name="cpu", gpus=(), weights_dir=Path()), self.context)
        self.turn()
        self.turn()

    @property
    def worker(self) -> Any:
        return self.slot._worker

    def turn(self) -> None:
        self.slot.turn()

    def hear(self, *words: Any) -> None:
        self.worker.words.extend(words)
        self.turn()

    def made_ready(self) -> Job:
        """A new job, reserved and with its inputs on the disk."""
        at = clock.now()
        job = queued(created_at=at, updated_at=at, queued_at=at)
        assert self.context.store.create(job)
        self.context.queues.send(job)
        self.slot.lookout.turn()
        assert self.context.hands.count()
        return job

    def started(self) -> Job:
        job = self.made_ready()
        self.turn()
        assert self.worker.started[-1] == job.id
        return job

    def encoding(self) -> Job:
        """A new job whose frames have left the model."""
        job = self.started()
        self.hear(FramesDone(job_id=job.id, attempt=1, seconds_by_phase={"denoise": 1.0}, peak_gpu_gib=0.0))
        return job

    def decoding(self) -> Job:
        """A new job that is so far on that the slot looks for the next."""
        job = self.started()
        self.hear(PhaseBegan(job_id=job.id, attempt=1, phase="decode"))
        return job

    def now(self, job: Job) -> Job:
        return self.context.store.get(job.id)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr(slots, "WorkerProcess", ScriptedWorker)
    with fake_cloud(monkeypatch) as made:
        yield made


@pytest.fixture
def bay(cloud: Cloud, tmp_path: Path) -> Bay:
    return Bay(tmp_path)


def failed(job: Job, kind: FailureKind, code: str, **fields: Any) -> JobFailed:
    return JobFailed(job_id=job.id, attempt=1, kind=kind, code=code, message=f"{code}: as scripted", **fields)


def encoded(job: Job, folder: Path) -> VideoEncoded:
    for name in ("video.mp4", "thumbnail.jpg", "spritesheet.jpg"):
        (folder / name).write_bytes(b"finished")
    return VideoEncoded(
        job_id=job.id, attempt=1, video=folder / "video.mp4", thumbnail=folder / "thumbnail.jpg",
        spritesheet=folder / "spritesheet.jpg", width=128, height=128, num_frames=33, fps=16, bytes=8, seconds=2.06,
        encode_s=0.1,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [FailureKind.WORKER, FailureKind.DEVICE])
def test_given_a_worker_that_says_it_ends_when_it_dies_then_only_the_job_it_died_of_is_blamed(
    bay: Bay, kind: FailureKind
) -> None:
    earlier, culprit = bay.encoding(), bay.decoding()
    coming = bay.made_ready()
    worker = bay.worker

    bay.hear(failed(culprit, kind, "out_of_memory", ends_worker=True))
    bay.turn()  # the interpreter exits
    bay.hear(WorkerDied(1))

    assert worker.started == [earlier.id, culprit.id]
    assert (bay.now(culprit).crashes, bay.now(culprit).attempts[-1].outcome) == (1, "crashed")
    assert (bay.now(earlier).crashes, bay.now(earlier).attempts[-1].outcome) == (0, "interrupted")
    assert "as scripted" not in (bay.now(earlier).attempts[-1].reason or ""), "another's message may be private"
    assert (bay.now(coming).attempt, bay.now(coming).status) == (0, State.QUEUED)


def test_given_a_worker_that_dies_without_a_word_then_the_job_that_it_ran_is_blamed(bay: Bay) -> None:
    earlier, culprit = bay.encoding(), bay.decoding()

    bay.hear(WorkerDied(-9))

    assert (bay.now(culprit).crashes, bay.now(earlier).crashes) == (1, 0)


def test_given_a_worker_that_hangs_on_its_way_out_then_it_is_not_waited_for(bay: Bay) -> None:
    culprit = bay.decoding()
    bay.hear(failed(culprit, FailureKind.DEVICE, "device_error", ends_worker=True))
    worker = bay.worker
    bay.turn()
    assert worker.ended is None

    worker.heard_s -= EXIT_S + 1.0
    bay.turn()

    assert worker.ended == "killed"


def test_given_an_isolated_slot_then_its_next_job_goes_back_and_its_worker_ends_with_what_it_encodes(
    cloud: Cloud, tmp_path: Path
) -> None:
    bay = Bay(tmp_path, isolate_after=1)
    earlier, unlucky = bay.encoding(), bay.decoding()
    coming = bay.made_ready()
    worker = bay.worker

    bay.hear(failed(unlucky, FailureKind.MACHINE, "disk"))
    bay.turn()

    assert bay.slot.isolated
    assert worker.ended is None
    assert {body["job_id"] for body in cloud.messages()} >= {unlucky.id, coming.id}
    bay.slot.lookout.turn()
    bay.turn()
    assert worker.started == [earlier.id, unlucky.id]

    bay.hear(encoded(earlier, tmp_path))
    bay.turn()

    assert bay.now(earlier).status is State.COMPLETED
    assert worker.ended == "asked"
    bay.turn()
    assert bay.worker is None, "no other is started"
    assert bay.context.hands.empty
    assert not bay.slot.starting


def test_given_a_worker_that_has_done_its_jobs_then_another_takes_its_place_and_the_next_job(
    cloud: Cloud, tmp_path: Path
) -> None:
    bay = Bay(tmp_path, recycle_after_jobs=1)
    earlier, worker = bay.encoding(), bay.worker

    bay.hear(encoded(earlier, tmp_path))
    bay.turn()
    bay.turn()  # the new one says that it is ready

    assert worker.ended == "asked"
    bay.started()
    assert bay.worker is not worker


def test_given_a_worker_that_hangs_when_another_job_waits_then_announcing_it_is_no_sign_of_life(bay: Bay) -> None:
    bay.decoding()
    bay.made_ready()
    bay.worker.heard_s -= 1000.0

    bay.turn()

    assert bay.slot.silent_s() > 1000.0


def test_given_a_hung_worker_that_cannot_be_killed_then_it_is_not_waited_for(
    bay: Bay, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung, worker = bay.decoding(), bay.worker
    worker.terminate = lambda: None  # it waits in the driver
    bay.slot.end_hung_worker()
    bay.turn()
    assert bay.worker is worker

    later = time.monotonic() + EXIT_S + 1.0
    with monkeypatch.context() as waited:
        waited.setattr(time, "monotonic", lambda: later)
        bay.turn()

    assert bay.worker is not worker
    assert bay.now(hung).crashes == 1


def test_given_a_worker_that_cannot_be_started_then_the_slot_is_isolated(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(spec: SlotSpec) -> None:
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(slots, "WorkerProcess", refuse)
    bay = Bay(tmp_path, isolate_after=1)

    assert bay.slot.isolated


def test_given_an_error_of_the_gpu_that_its_driver_tells_too_then_it_counts_once(bay: Bay) -> None:
    job = bay.started()
    bay.hear(failed(job, FailureKind.GPU, "gpu_memory_error", ends_worker=True))
    bay.hear(WorkerDied(1))

    bay.slot.report_gpu(GpuVerdict.SUSPECT, "GPU 0: Xid 94")
    bay.turn()

    assert not bay.slot.isolated, "two such errors would be too many"


def test_given_an_encoder_that_is_faster_than_the_word_of_the_last_frame_then_the_job_is_over(
    bay: Bay, tmp_path: Path
) -> None:
    job = bay.decoding()

    bay.hear(encoded(job, tmp_path))
    bay.hear(FramesDone(job_id=job.id, attempt=1, seconds_by_phase={"denoise": 1.0}, peak_gpu_gib=0.0))

    assert bay.now(job).status is State.COMPLETED
    assert bay.slot.idle


def test_given_a_notice_while_a_job_is_being_cancelled_then_what_is_encoded_is_given_back_in_time(bay: Bay) -> None:
    earlier, unwanted = bay.encoding(), bay.started()
    bay.context.store.cancel(unwanted.id, owner=unwanted.owner)
    running = bay.slot._bench.running
    assert running is not None
    running.held.cancel.set()
    bay.turn()  # it is told to stop, and its step goes on

    bay.context.board.post(Notice(kind=NoticeKind.SPOT), in_s=0.0)
    bay.turn()
    bay.turn()

    assert bay.now(earlier).status is State.QUEUED
    assert bay.now(earlier).crashes == 0


def test_given_a_model_that_is_loaded_for_a_job_then_its_seconds_are_the_jobs_and_paid(
    cloud: Cloud, tmp_path: Path
) -> None:
    bay = Bay(tmp_path, usd_per_hour=3600.0)
    job = bay.started()
    bay.hear(ModelLoaded(model="wan-mini", seconds=30.0))
    bay.hear(FramesDone(job_id=job.id, attempt=1, seconds_by_phase={"denoise": 9.0}, peak_gpu_gib=0.0))
    bay.hear(encoded(job, tmp_path))

    done = bay.now(job)
    assert done.seconds_by_phase["load"] == 30.0
    assert (done.cost_usd or 0.0) >= 39.1  # and the upload

    later = bay.encoding()
    bay.hear(encoded(later, tmp_path))
    assert "load" not in bay.now(later).seconds_by_phase


def test_given_a_worker_as_large_as_its_placement_plans_then_it_stays(bay: Bay, tmp_path: Path) -> None:
    job, worker = bay.encoding(), bay.worker
    bay.slot._bench.planned_host_gib = worker.gib = 67.8

    bay.hear(encoded(job, tmp_path))
    bay.turn()

    assert bay.worker is worker


def test_given_a_machine_that_fails_then_its_job_waits_for_another_and_its_record_says_so(bay: Bay) -> None:
    job = bay.started()

    bay.hear(failed(job, FailureKind.MACHINE, "weights_unavailable"))

    after = bay.now(job)
    assert (after.status, after.crashes) == (State.QUEUED, 0)
    assert after.attempts[-1].reason == "machine_failed: weights_unavailable: as scripted"


@pytest.mark.parametrize("busy", [True, False])
def test_given_an_encoder_that_hangs_then_the_worker_is_ended_and_its_job_blamed(bay: Bay, busy: bool) -> None:
    hung = bay.encoding()
    running = bay.started() if busy else None
    worker = bay.worker
    bay.turn()
    assert worker.ended is None

    for one in bay.slot._bench.encoding.values():
        assert one.encoder_heard_s is not None
        one.encoder_heard_s -= bay.context.settings.hang_limit_s + 1.0
    bay.turn()

    assert worker.ended == "killed"
    assert (bay.now(hung).status, bay.now(hung).crashes) == (State.QUEUED, 1)
    if running is not None:
        assert (bay.now(running).crashes, bay.now(running).attempts[-1].outcome) == (0, "interrupted")
    assert bay.slot.idle


def test_given_a_long_encoding_that_goes_on_then_nobody_ends_it(bay: Bay) -> None:
    job = bay.encoding()
    bay.slot._bench.encoding[job.id, 1].encoder_heard_s = time.monotonic() - bay.context.settings.hang_limit_s - 1.0

    bay.hear(EncoderWorks(job_id=job.id, attempt=1))
    bay.turn()

    assert bay.worker.ended is None
    assert bay.now(job).status is State.IN_PROGRESS


def test_given_an_encoder_that_hangs_when_its_job_is_cancelled_then_it_ends_cancelled(bay: Bay) -> None:
    hung = bay.encoding()
    bay.context.store.cancel(hung.id, owner=hung.owner)

    bay.slot._bench.encoding[hung.id, 1].encoder_heard_s = time.monotonic() - bay.context.settings.hang_limit_s - 1.0
    bay.turn()

    assert bay.now(hung).status is State.CANCELLED


class Astonished:
    """A fetcher that meets what nobody foresaw."""

    def fetch(self, job: Job) -> Any:
        b"\xe9".decode()


def test_given_inputs_that_raise_what_nobody_foresaw_then_the_job_is_blamed_and_the_slot_works_on(bay: Bay) -> None:
    fetcher: Any = Astonished()
    sound = bay.context
    bay.context = replace(bay.context, fetcher=fetcher)
    bay.open()

    job = bay.made_ready()
    bay.turn()

    after = bay.now(job)
    assert (after.status, after.crashes) == (State.QUEUED, 1)
    assert "UnicodeDecodeError" in (after.attempts[-1].reason or "")
    assert bay.worker.started == []
    assert sound.hands.empty


def test_given_a_bucket_that_does_not_answer_when_inputs_are_fetched_then_the_job_is_nobodys_and_unblamed(
    bay: Bay, cloud: Cloud
) -> None:
    class Offline:
        def fetch(self, job: Job) -> Any:
            raise ConnectionResetError("peer")

    fetcher: Any = Offline()
    bay.context = replace(bay.context, fetcher=fetcher)
    bay.open()

    with pytest.raises(ConnectionResetError):
        bay.made_ready()

    assert bay.context.hands.empty
    assert len(cloud.messages()) == 1
