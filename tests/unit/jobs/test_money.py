"""What instances and jobs cost, metered and tallied, and the month's report that is made of both."""

from datetime import UTC, datetime

import pytest

from jobs.job import Attempt, Job
from jobs.meters import MeterStore
from jobs.planner import Meter, Sighting, advance_meter
from jobs.report import report
from jobs.states import State
from jobs.tally import Tally, TallyStore, lost_s
from jobs.transitions import claim, complete, record_crash, redrive
from tests.unit.jobs.cloud import TABLE, Cloud
from tests.unit.jobs.made import outputs, queued

BEGAN = datetime(2026, 11, 10, 12, tzinfo=UTC).timestamp()
NO_AGENT = Sighting("i-1", "g5.12xlarge", "spot", usd_per_hour=3.6)
HALF_BUSY = NO_AGENT._replace(slots=4, busy=2)


def run(*seen: Sighting, every_s: float = 60.0, began: float = BEGAN) -> Meter:
    meter = None
    for minute, sighting in enumerate(seen):
        meter = advance_meter(meter, sighting, now_s=began + minute * every_s)
    assert meter is not None
    return meter


def test_given_an_instance_that_boots_and_works_then_its_time_is_told_apart_and_adds_up() -> None:
    meter = run(NO_AGENT, NO_AGENT, NO_AGENT, HALF_BUSY, HALF_BUSY)

    assert (meter.boot_s, meter.busy_s, meter.idle_s) == (180.0, 30.0, 30.0)
    assert meter.usd == pytest.approx(3.6 * 240 / 3600)
    assert meter.rented_s == 240.0


def test_given_an_instance_without_an_agent_then_its_silence_grows_and_ends_with_the_agents_first_word() -> None:
    assert run(*[NO_AGENT] * 11).silent_s == 600.0
    assert run(*[NO_AGENT] * 11, HALF_BUSY).silent_s == 0.0
    assert run(HALF_BUSY, *[NO_AGENT] * 10).silent_s == 600.0


def test_given_a_planner_that_was_away_then_the_money_is_counted_and_the_silence_is_not() -> None:
    meter = run(NO_AGENT, NO_AGENT, every_s=7200.0)

    assert meter.usd == pytest.approx(7.2)
    assert meter.silent_s == 120.0


def test_given_a_new_month_then_the_meter_begins_anew() -> None:
    december = datetime(2026, 12, 1, tzinfo=UTC).timestamp()

    assert run(HALF_BUSY, HALF_BUSY, HALF_BUSY, began=december - 60.0).month == "2026-12"
    assert run(HALF_BUSY, HALF_BUSY, HALF_BUSY, began=december - 60.0).rented_s == 60.0


def test_given_two_runs_at_once_then_no_minute_is_metered_twice(cloud: Cloud) -> None:
    store = MeterStore(TABLE)
    store.put([run(HALF_BUSY, HALF_BUSY)])
    before = store.of(["i-1", "i-2"], month="2026-11")["i-1"]
    early = advance_meter(before, HALF_BUSY, now_s=BEGAN + 120)
    late = advance_meter(before, HALF_BUSY, now_s=BEGAN + 121)

    store.put([late])
    store.put([early])

    assert [meter.rented_s for meter in store.month("2026-11")] == [121.0]


def tried(number: int, *, steps: tuple[int, int], outcome: str = "interrupted") -> Attempt:
    resumed, last = steps
    return Attempt(number=number, instance_id="i", slot="A10Gx1", started_at=BEGAN, ended_at=BEGAN + 100,
                   outcome=outcome, resumed_from_step=resumed, last_step=last)  # fmt: skip


@pytest.mark.parametrize(
    ("attempts", "lost"),
    [
        ((tried(1, steps=(0, 10), outcome="completed"),), 0.0),
        ((tried(1, steps=(0, 10)), tried(2, steps=(10, 20), outcome="completed")), 0.0),
        ((tried(1, steps=(0, 10)), tried(2, steps=(8, 20), outcome="completed")), 20.0),
        ((tried(1, steps=(0, 10)), tried(2, steps=(0, 20), outcome="completed")), 100.0),
        ((tried(1, steps=(0, 0)), tried(2, steps=(0, 20), outcome="completed")), 100.0),
    ],
)
def test_given_attempts_then_what_was_done_twice_is_lost(attempts: tuple[Attempt, ...], lost: float) -> None:
    job = queued(status=State.COMPLETED, attempts=attempts, attempt=len(attempts))

    assert lost_s(job) == pytest.approx(lost)


def test_given_an_ended_job_that_is_told_twice_then_it_is_tallied_once(cloud: Cloud) -> None:
    job = queued(owner="acme", cost_usd=0.25, completed_at=BEGAN, seconds_by_phase={"load": 12.0})
    done = job.model_copy(update={"status": State.COMPLETED, "outputs": outputs(job)})
    failed = queued(owner="acme", status=State.FAILED, cost_usd=0.05, completed_at=BEGAN)
    store = TallyStore(TABLE)

    told = [store.add(done), store.add(done), store.add(failed)]

    assert told == [True, False, True]
    (tally,) = store.month("2026-11")
    assert (tally.owner, tally.model, tally.completed, tally.failed) == ("acme", "wan-mini", 1, 1)
    assert (tally.usd, tally.load_s, tally.video_s) == (0.3, 12.0, 2.062)


def test_given_a_failed_job_when_redriven_then_its_second_end_adds_what_came_since_and_that_once(cloud: Cloud) -> None:
    job, told = queued(owner="acme"), []
    for number in (1, 2, 3):
        job = claimed(job, at=BEGAN + 1000 * number)
        job = record_crash(job, number, reason="signal 9", now=BEGAN + 1000 * number + 100)
    failed = job
    again = claimed(redrive(failed, now=BEGAN + 9000), at=BEGAN + 9000)
    made, took = outputs(again, 4), {"load": 12.0}
    done = complete(again, 4, outputs=made, seconds_by_phase=took, cost_usd=0.5, now=BEGAN + 9200)
    store = TallyStore(TABLE)

    for ended in (failed, failed, done, done, failed):
        told.append(store.add(ended))

    assert told == [True, False, True, False, False]
    (tally,) = store.month("2026-11")
    assert (tally.completed, tally.failed) == (1, 1)
    assert (tally.worked_s, tally.lost_s, tally.load_s) == (500.0, 300.0, 12.0)
    assert tally.usd == pytest.approx(done.cost_usd)
    assert failed.cost_usd == pytest.approx(0.3)


def claimed(job: Job, *, at: float) -> Job:
    return claim(job, instance_id="i", slot="0", lease_s=3600, usd_per_hour=3.6, now=at)


def test_given_a_month_then_its_lines_add_up_to_what_the_instances_cost() -> None:
    tallies = [
        Tally(month="2026-11", owner="acme", model="a", completed=4, usd=3.0),
        Tally(month="2026-11", owner="other", model="b", completed=1, usd=1.0),
    ]
    meters = [
        Meter(instance_id="i", kind="k", market="spot", month="2026-11", first_at=0, seen_at=0, usd=6.0, boot_s=60)
    ]

    made = report("2026-11", tallies, meters)

    assert [(line.owner, line.shared_usd, line.usd_per_video) for line in made.lines] == [
        ("acme", 1.5, 1.125),
        ("other", 0.5, 1.5),
    ]
    assert sum(line.total_usd for line in made.lines) == made.usd == 6.0
    assert report("2026-11", [], meters).unattributed_usd == 6.0
