"""What is in hand, and loops that neither die in silence nor spin on errors."""

import threading
import time
from pathlib import Path

import pytest

from gpu_agent.held import Hands, HeldJob
from gpu_agent.loops import Loop
from gpu_agent.offers import Gpu, divide, estimate_slot, slot_name
from gpu_agent.worker.failures import classify, describe
from gpu_agent.worker.protocol import FailureKind
from jobs.job import Estimate
from models.common.texts import TextTooLong
from tests.unit.jobs.made import queued

WAIT_S = 30.0


def test_given_a_cordon_when_a_slot_wants_to_look_then_it_may_not() -> None:
    hands = Hands()
    hands.cordon("a notice")
    assert not hands.begin_looking()


def test_given_a_slot_that_looks_then_the_hands_are_not_empty_until_it_found_nothing() -> None:
    hands = Hands()
    assert hands.begin_looking()
    hands.cordon("a notice")
    assert not hands.empty
    hands.end_looking(found=False)
    assert hands.empty


def test_given_a_reservation_then_it_counts_as_work_in_hand() -> None:
    hands = Hands()
    hands.begin_looking()
    hands.end_looking(found=True)
    assert (hands.count(), hands.idle_s()) == (1, 0.0)
    hands.drop_reservation()
    assert hands.count() == 0


@pytest.mark.parametrize(
    ("past_s", "step", "left_s"),
    [
        (0.0, 10, 120.0),  # 100 s for 40 steps of which 30 are left, and 45 s of loading
        (60.0, 10, 60.0),
        (200.0, 10, 0.0),
        (60.0, 30, 30.0),  # 20 steps in a minute, 10 more to do
    ],
)
def test_given_a_job_in_hand_then_the_agent_is_kept_for_the_lesser_of_what_its_estimate_and_its_pace_say(
    monkeypatch: pytest.MonkeyPatch, past_s: float, step: int, left_s: float
) -> None:
    hands = Hands()
    held = held_job(hands, Estimate(slot="A10Gx1", seconds=100.0, load_s=45.0))
    held.advance(step=step)
    monkeypatch.setattr(time, "monotonic", lambda: held.began_s + past_s)

    assert hands.kept_s() == pytest.approx(left_s)


def test_given_the_last_job_ends_then_idleness_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands()
    held = held_job(hands, None)
    monkeypatch.setattr(time, "monotonic", lambda: held.began_s + 600.0)
    hands.done(held)
    assert hands.idle_s() == 0.0
    monkeypatch.setattr(time, "monotonic", lambda: held.began_s + 610.0)
    assert hands.idle_s() == pytest.approx(10.0)


def test_given_no_prediction_then_nobody_counts_on_a_job_to_keep_the_agent() -> None:
    hands = Hands()
    held_job(hands, None)

    assert hands.kept_s() == 0.0


def held_job(hands: Hands, estimate: Estimate | None) -> HeldJob:
    """Taken just now, at its tenth step of forty."""
    held = HeldJob(queued(estimate=estimate, checkpoint_step=10, total_steps=40), message=None, directory=Path())
    hands.begin_looking()
    hands.end_looking(found=True)
    hands.take(held)
    return held


def test_given_passing_errors_then_the_loop_goes_on() -> None:
    turns = []
    enough = threading.Event()

    def turn() -> float:
        turns.append(1)
        if len(turns) >= 3:
            enough.set()
            return 0.01
        raise OSError("network")

    loop = Loop("test", turn, interval_s=0.01, on_death=lambda name: None)
    loop.start()
    assert enough.wait(WAIT_S)
    loop.stop()
    assert loop.join(WAIT_S)


def test_given_a_defect_then_the_loop_ends_and_says_so() -> None:
    died: list[str] = []
    told = threading.Event()

    def turn() -> float:
        raise ZeroDivisionError

    def on_death(name: str) -> None:
        died.append(name)
        told.set()

    hook, threading.excepthook = threading.excepthook, lambda args: None
    try:
        Loop("broken", turn, interval_s=0.01, on_death=on_death).start()
        assert told.wait(WAIT_S)
    finally:
        threading.excepthook = hook
    assert died == ["broken"]


def test_given_four_gpus_then_they_divide_into_slots_of_the_asked_size() -> None:
    gpus = tuple(Gpu(index=number, name="NVIDIA A10G", memory_mib=22_888) for number in range(4))
    specs = divide(gpus, gpus_per_slot=2, cpu_slots=1, cpu_threads=1, weights_dir=Path("weights"))
    assert [spec.gpus for spec in specs] == [(0, 1), (2, 3)]
    assert slot_name(gpus, gpus_per_slot=2) == "A10Gx2"
    slot = estimate_slot("A10Gx2", kind="g5.12xlarge")
    assert slot is not None
    assert (slot.count, slot.host_gib) == (2, 96.0)
    assert slot_name((), gpus_per_slot=1, cpu_threads=2) == "CPUx2"
    assert estimate_slot("CPUx2", kind="local") is None


@pytest.mark.parametrize(("kind", "host_gib"), [("g5.2xlarge", 32.0), ("g6.12xlarge", 48.0), ("local", 48.0)])
def test_given_a_kind_of_instance_then_its_slot_has_its_share_of_that_ones_memory(kind: str, host_gib: float) -> None:
    """Another GPU's kind, or a machine that nobody knows, says nothing."""
    slot = estimate_slot("A10Gx1", kind=kind)

    assert slot is not None
    assert slot.host_gib == host_gib


def test_given_an_error_of_the_disk_then_the_machine_is_to_blame_and_not_the_job() -> None:
    assert classify(OSError(28, "No space left on device")) == (FailureKind.MACHINE, "disk")
    assert classify(MemoryError()) == (FailureKind.WORKER, "out_of_memory")
    assert classify(RuntimeError("CUDA error: uncorrectable ECC error encountered"))[0] is FailureKind.GPU
    assert classify(RuntimeError("CUDA error: an illegal memory access"))[0] is FailureKind.DEVICE
    assert classify(RuntimeError("shape mismatch")) == (FailureKind.WORKER, "generation_error")


def test_given_a_text_longer_than_the_model_reads_then_the_request_is_to_blame_and_told_the_field() -> None:
    error = TextTooLong("a circle", tokens=300, max_tokens=256, param="shots[1].prompt", subject="the shot's text")

    assert classify(error) == (FailureKind.REQUEST, "unsupported_request")
    assert "shots[1].prompt: the shot's text has 300 tokens; the model reads 256" in describe(error)
