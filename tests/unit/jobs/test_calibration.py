"""Finished jobs correct the quotes: which of them count, once each, and what a new quote then says."""

from typing import Any

import pytest

from jobs.admission import Admission, work_of
from jobs.calibration import CalibrationStore, sample_of
from jobs.fleet import Ability, FleetStore, Measured
from jobs.job import Attempt, Job
from jobs.request import VideoRequest
from jobs.states import State
from models import catalog, estimate
from models.estimate import Slot
from tests.unit.jobs.cloud import TABLE, Cloud
from tests.unit.jobs.made import T0, Clock, queued, request

PHASES = {"load": 9.0, "encode": 0.5, "denoise": 30.0, "decode": 10.0}


def finished(*, slot: str = "CPUx2", resumed_from_step: int = 0, **changes: Any) -> Job:
    attempt = Attempt(
        number=1,
        instance_id="i-1",
        slot=slot,
        started_at=T0,
        outcome="completed",
        resumed_from_step=resumed_from_step,
    )
    fields: dict[str, Any] = {"status": State.COMPLETED, "attempts": (attempt,), "seconds_by_phase": PHASES}
    return queued(**(fields | changes))


def test_given_a_finished_job_then_its_sample_sets_measured_against_predicted_work() -> None:
    sample = sample_of(finished())

    assert sample is not None
    assert (sample.model, sample.slot, sample.measured_s) == ("wan-mini", "CPUx2", 40.5)
    assert sample.predicted_s > 0


@pytest.mark.parametrize(
    "job",
    [
        finished(status=State.FAILED),
        finished(resumed_from_step=3),
        finished(slot="Voodoo2"),
        finished(attempts=()),
        finished(seconds_by_phase={"load": 9.0}),
        finished(request=request(model="withdrawn-model")),
        finished(request=request(tier="fast")),
    ],
    ids=["failed", "resumed", "unknown slot", "no attempt", "no phases", "unknown model", "a tier of its own"],
)
def test_given_a_job_that_tells_nothing_then_there_is_no_sample(job: Job) -> None:
    assert sample_of(job) is None


def test_given_jobs_three_times_as_slow_as_predicted_when_learned_then_quotes_follow_and_one_wild_job_changes_little(
    cloud: Cloud,
) -> None:
    store, fleet, clock = CalibrationStore(TABLE), FleetStore(TABLE), Clock()
    fleet.report_abilities("local", slot="CPUx2", abilities=(Ability(model="wan-mini", runnable=True),))
    admission = Admission(fleet=fleet, instance_types=("local",), weights=frozenset, calibration=store.read, now=clock)
    before_s = admission(request()).seconds
    for _ in range(12):
        sample = sample_of(finished())
        assert sample is not None
        assert store.learn(sample._replace(measured_s=3 * sample.predicted_s))
    assert admission(request()).seconds == before_s, "what was read is kept for half a minute"
    clock.at += 60

    after_s = admission(request()).seconds
    assert sample is not None
    store.learn(sample._replace(job_id="video_wild", measured_s=1e6))
    clock.at += 60

    assert 2 * before_s < after_s < 3 * before_s
    assert admission(request()).seconds == pytest.approx(after_s, rel=0.05)


WAN = "wan2.2-t2v-a14b"


def heavy(**changes: Any) -> VideoRequest:
    return request(model=WAN, size="832x480", num_frames=81, num_inference_steps=40, guidance_scale=4.0, **changes)


def benchmark(matmul_tf_s: float) -> Measured:
    return Measured(matmul_tf_s=matmul_tf_s, load_gib_s=1.0, measured_at=T0)


def report(measured: Measured | None) -> None:
    able = (Ability(model=WAN, runnable=True),)
    FleetStore(TABLE).report_abilities("g5.12xlarge", slot="A10Gx1", abilities=able, measured=measured)


def teach(store: CalibrationStore, *, at_tf_s: float, times: int = 51, **changes: Any) -> None:
    """Jobs that take exactly what a card of that rate takes."""
    card = Slot.parse("A10Gx1").measured(matmul_tf_s=at_tf_s, load_gib_s=1.0)
    truth = estimate.estimate(catalog.get(WAN), work_of(heavy()), card)
    phases = {"encode": truth.encode_s, "denoise": truth.denoise_s, "decode": truth.decode_s}
    for _ in range(times):
        sample = sample_of(finished(slot="A10Gx1", seconds_by_phase=phases, request=heavy(**changes)))
        if sample is not None:
            store.learn(sample)


def quoting(store: CalibrationStore, clock: Clock) -> Admission:
    kinds = ("g5.12xlarge",)
    return Admission(
        fleet=FleetStore(TABLE), instance_types=kinds, weights=lambda: {WAN}, calibration=store.read, now=clock
    )


@pytest.mark.parametrize("measured_tf_s", [None, 50.0, 90.0])
def test_given_jobs_that_take_exactly_the_quote_then_the_quote_stays(cloud: Cloud, measured_tf_s: float | None) -> None:
    store, clock = CalibrationStore(TABLE), Clock()
    report(None if measured_tf_s is None else benchmark(measured_tf_s))
    admission = quoting(store, clock)
    quoted_s = admission(heavy()).seconds

    teach(store, at_tf_s=measured_tf_s or Slot.parse("A10Gx1").kind.matmul_tf_s)
    clock.at += 60

    assert admission(heavy()).seconds == pytest.approx(quoted_s, rel=0.02)


@pytest.mark.parametrize("again", [benchmark(50.0), benchmark(70.0)], ids=["first benchmark", "another figure"])
def test_given_what_jobs_taught_when_the_card_is_measured_then_it_is_not_counted_again(
    cloud: Cloud, again: Measured
) -> None:
    store, clock = CalibrationStore(TABLE), Clock()
    report(None)
    admission = quoting(store, clock)
    teach(store, at_tf_s=50.0)
    clock.at += 60
    taught_s = admission(heavy()).seconds

    report(again)
    clock.at += 60

    assert admission(heavy()).seconds == pytest.approx(taught_s, rel=0.02)


def test_given_fast_jobs_then_quotes_of_the_default_tier_stay(cloud: Cloud) -> None:
    store, clock = CalibrationStore(TABLE), Clock()
    report(None)
    admission = quoting(store, clock)
    quoted_s = admission(heavy()).seconds

    teach(store, at_tf_s=200.0, tier="fast")
    clock.at += 60

    assert admission(heavy()).seconds == quoted_s


def test_given_a_batch_that_the_stream_repeats_then_each_job_counts_once(cloud: Cloud) -> None:
    store, sample = CalibrationStore(TABLE), sample_of(finished())
    assert sample is not None

    assert [store.learn(sample), store.learn(sample)] == [True, False]

    assert store.read() == estimate.Calibration().observe(
        "wan-mini", "CPUx2", predicted_s=sample.predicted_s, measured_s=sample.measured_s
    )


def test_given_two_writers_at_once_then_neither_sample_is_lost(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    store, first, second = CalibrationStore(TABLE), sample_of(finished()), sample_of(finished())
    assert first is not None
    assert second is not None
    write, raced = store._write, list[bool]()

    def other_first(*values: Any) -> bool:
        if not raced:
            raced.append(True)
            CalibrationStore(TABLE).learn(second)
        return write(*values)

    monkeypatch.setattr(store, "_write", other_first)

    assert store.learn(first)
    assert len(store.read().log_ratios["wan-mini@CPUx2"]) == 2
