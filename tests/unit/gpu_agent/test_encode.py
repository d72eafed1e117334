"""Frames on their way to the encoder: how many may wait, and that nobody waits for an encoder that takes no more."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpu_agent.cadence import Cadence
from gpu_agent.inputs import generation_request
from gpu_agent.worker import encode
from gpu_agent.worker.encode import EncodingJob
from gpu_agent.worker.protocol import EncoderWorks, JobFailed, RunJob, VideoEncoded
from tests.unit.gpu_agent.test_extension import Heard
from tests.unit.jobs.made import queued, request

NUM_FRAMES, SIDE, WAITING = 12, 128, 3
WITHIN_S = 20.0


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Room for three frames, and an encoder that begins when the gate opens."""
    from models import output

    opened, write_video = threading.Event(), output.write_video

    def write_when_open(*arguments: Any, **options: Any) -> Any:
        assert opened.wait(WITHIN_S)
        return write_video(*arguments, **options)

    monkeypatch.setattr(output, "write_video", write_when_open)
    monkeypatch.setattr(encode, "WAITING_BYTES", WAITING * SIDE * SIDE * 3)
    return opened


def encoding(folder: Path, heard: Heard, **changes: Any) -> EncodingJob:
    job = queued(request=request(num_frames=NUM_FRAMES))
    fields: dict[str, Any] = {
        "job_id": job.id,
        "attempt": 1,
        "request": generation_request(job, image=None, loras=()),
        "directory": folder,
        "resume": None,
        "cadence": Cadence(interval_s=60.0, max_overhead=0.05),
        "total_frames": NUM_FRAMES,
    }
    return EncodingJob(RunJob(**(fields | changes)), heard)


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def putting(job: EncodingJob) -> threading.Thread:
    def put_all() -> None:
        for level in range(NUM_FRAMES):
            job.put(np.full((SIDE, SIDE, 3), level, np.uint8))
        job.end_of_frames()

    return in_thread(put_all)


def test_given_an_encoder_that_is_behind_then_few_frames_wait_and_all_of_them_come(
    gate: threading.Event, tmp_path: Path
) -> None:
    heard = Heard()
    job = encoding(tmp_path, heard)
    model = putting(job)
    until_s = time.monotonic() + WITHIN_S
    while job.frames_taken <= WAITING and time.monotonic() < until_s:
        time.sleep(0.01)
    model.join(timeout=0.5)
    assert model.is_alive()
    assert job.frames_taken == WAITING + 1, "three wait, and one is in the model's hand"

    gate.set()

    written = heard.answer(within_s=WITHIN_S)
    assert isinstance(written, VideoEncoded)
    assert written.num_frames == NUM_FRAMES
    model.join(timeout=WITHIN_S)
    assert not model.is_alive()


def test_given_an_encoder_at_work_then_it_says_so_now_and_then(
    gate: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "TELL_EVERY_S", 0.0)
    heard = Heard()
    job = encoding(tmp_path, heard)
    gate.set()
    encoder = next(thread for thread in threading.enumerate() if thread.name.startswith("encode-"))
    putting(job).join(timeout=WITHIN_S)

    encoder.join(timeout=WITHIN_S)

    assert [type(each) for each in heard.messages] == [*[EncoderWorks] * NUM_FRAMES, VideoEncoded]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_given_an_encoder_that_failed_then_the_model_does_not_wait_for_it(
    gate: threading.Event, tmp_path: Path
) -> None:
    heard = Heard()
    job = encoding(tmp_path, heard, directory=tmp_path / "gone")
    model = putting(job)
    gate.set()

    assert isinstance(heard.answer(within_s=WITHIN_S), JobFailed)
    model.join(timeout=WITHIN_S)
    assert not model.is_alive()


@pytest.mark.parametrize("frames_put", [0, WAITING])
def test_given_a_generation_that_ends_early_then_its_encoder_ends_without_a_word(
    frames_put: int, gate: threading.Event, tmp_path: Path
) -> None:
    heard = Heard()
    job = encoding(tmp_path, heard)
    encoder = next(thread for thread in threading.enumerate() if thread.name.startswith("encode-"))
    gate.set()
    for _ in range(frames_put):
        job.put(np.zeros((SIDE, SIDE, 3), np.uint8))

    job.abandon()

    encoder.join(timeout=WITHIN_S)
    assert not encoder.is_alive()
    assert heard.messages == []
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(autouse=True)
def no_encoder_left(gate: threading.Event) -> Iterator[None]:
    yield
    gate.set()
    for thread in threading.enumerate():
        if thread.name.startswith("encode-"):
            thread.join(timeout=WITHIN_S)
