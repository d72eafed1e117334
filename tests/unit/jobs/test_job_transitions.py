"""The moves as functions of values."""

import pytest

from jobs import machine_failures, transitions
from jobs.errors import FenceLost, NotClaimable
from jobs.job import Job, JobError
from jobs.states import MOVES, State, is_terminal
from jobs.waiting import wants_on_demand
from tests.unit.jobs.made import T0, outputs, queued, request


def running(job: Job | None = None) -> Job:
    return transitions.claim(job or queued(), instance_id="i", slot="0", lease_s=60, now=T0)


def test_given_a_thousand_interruptions_then_no_retry_is_used_up_and_the_record_stays_small() -> None:
    job = queued()

    for number in range(1, 1001):
        job = running(job)
        job = transitions.interrupt(job, number, checkpoint_step=1, reason="spot", now=T0)

    assert (job.status, job.crashes, job.attempt) == (State.QUEUED, 0, 1000)
    assert len(job.attempts) == transitions.MAX_ATTEMPTS_KEPT


def test_given_crashes_among_interruptions_then_only_crashes_count() -> None:
    job = queued()
    for number in (1, 3):
        job = transitions.interrupt(running(job), number, checkpoint_step=0, reason="spot", now=T0)
        job = transitions.record_crash(running(job), number + 1, reason="OOM", now=T0)

    assert (job.status, job.crashes) == (State.QUEUED, 2)


def on_failing_machines(job: Job, *instances: str, every_s: float = 1200.0) -> Job:
    for instance in instances:
        at = T0 + job.attempt * every_s
        job = transitions.claim(job, instance_id=instance, slot="0", lease_s=60, usd_per_hour=3600.0, now=at)
        job = transitions.record_machine_failure(job, job.attempt, checkpoint_step=2, reason="disk: full", now=at + 1)
    return job


def test_given_machines_that_fail_one_after_the_other_then_the_third_is_the_last_and_the_job_says_why() -> None:
    twice = on_failing_machines(queued(), *["i-1"] * 16, "i-2")
    assert (twice.status, twice.crashes, twice.checkpoint_step) == (State.QUEUED, 0, 2)

    done = on_failing_machines(twice, "i-3")

    assert done.status is State.FAILED
    assert done.error is not None
    assert done.error.code == "machine_failed"
    assert done.error.message == (
        "Machines failed for 340 minutes, the last 18 times in a row, on 3 instances; the last time: disk: full"
    )
    assert (done.attempts[-1].outcome, done.cost_usd) == ("failed", 18.0)


def test_given_one_machine_that_fails_a_job_for_ever_then_that_ends_within_what_its_record_keeps() -> None:
    most = machine_failures.MAX_IN_A_ROW
    assert most < transitions.MAX_ATTEMPTS_KEPT
    before = on_failing_machines(queued(), *["i-1"] * (most - 1))
    assert before.status is State.QUEUED

    assert on_failing_machines(before, "i-1").status is State.FAILED


def test_given_a_bucket_that_no_machine_reaches_for_some_minutes_then_the_job_waits() -> None:
    short = on_failing_machines(queued(), *["i-1", "i-2", "i-3"] * 40, every_s=14.0)
    assert short.status is State.QUEUED

    assert on_failing_machines(short, "i-4", every_s=16.0).status is State.FAILED


def test_given_another_end_between_failures_of_machines_then_the_row_begins_anew() -> None:
    twice = on_failing_machines(queued(), "i-1", "i-2")
    spot = transitions.interrupt(running(twice), 3, checkpoint_step=3, reason="spot", now=T0)

    assert on_failing_machines(spot, "i-3", "i-4").status is State.QUEUED


def test_given_a_job_to_be_cancelled_when_its_machine_fails_then_it_is_cancelled() -> None:
    asked = transitions.cancel(running(on_failing_machines(queued(), "i-1", "i-2")), now=T0)

    ended = transitions.record_machine_failure(asked, 3, checkpoint_step=0, reason="disk: full", now=T0)

    assert ended.status is State.CANCELLED


def test_given_a_job_that_moved_on_since_it_was_seen_then_it_is_not_claimed() -> None:
    seen = queued()
    since = transitions.interrupt(running(seen), 1, checkpoint_step=0, reason="spot", now=T0)

    def claim(job: Job) -> Job:
        return transitions.claim(job, instance_id="i", slot="0", lease_s=60, seen=seen, now=T0)

    with pytest.raises(NotClaimable):
        claim(since)
    assert claim(seen).attempt == 1


def test_given_two_losses_then_the_job_wants_on_demand_also_where_the_second_is_only_an_ended_lease() -> None:
    once = transitions.interrupt(running(), 1, checkpoint_step=0, reason="spot", now=T0)
    outlived = running(once)
    assert not wants_on_demand(once)
    assert wants_on_demand(outlived)
    assert wants_on_demand(transitions.reap(outlived, now=T0 + 61))
    crashed = transitions.record_crash(running(once), 2, reason="OOM", now=T0)
    assert not wants_on_demand(crashed)
    assert not wants_on_demand(on_failing_machines(queued(), "i-1", "i-2"))  # dearer machines have the same weights


def test_given_a_living_lease_when_reaped_then_nothing_happens() -> None:
    job = running()

    assert transitions.reap(job, now=T0 + 59) == job
    assert transitions.reap(job, now=T0 + 61).status is State.QUEUED


def test_given_a_reaped_job_then_it_goes_on_from_the_last_checkpoint_in_s3() -> None:
    job = transitions.heartbeat(
        running(), 1, lease_s=60, step=6, total_steps=8, phase="denoise", checkpoint_step=4, now=T0
    )

    back = transitions.reap(job, now=T0 + 61)

    assert (back.checkpoint_step, back.step, back.attempts[0].last_step, back.attempts[0].outcome) == (4, 4, 6, "lost")


def test_given_a_refused_checkpoint_then_the_attempt_shows_that_it_began_anew() -> None:
    def beat(job: Job, *, step: int, checkpoint_step: int | None) -> Job:
        return transitions.heartbeat(
            job,
            job.attempt,
            lease_s=60,
            step=step,
            total_steps=8,
            phase="denoise",
            checkpoint_step=checkpoint_step,
            now=T0,
        )

    resumed = running(transitions.reap(beat(running(), step=6, checkpoint_step=4), now=T0 + 61))
    assert (
        beat(beat(resumed, step=5, checkpoint_step=None), step=6, checkpoint_step=6).attempts[1].resumed_from_step == 4
    )

    refused = beat(resumed, step=0, checkpoint_step=0)
    assert refused.attempts[1].resumed_from_step == 0
    assert beat(refused, step=2, checkpoint_step=2).attempts[1].resumed_from_step == 0


def test_given_a_passed_deadline_when_the_job_was_chosen_before_it_then_it_is_not_begun_any_more() -> None:
    job = queued(request=request(deadline=int(T0) + 60))

    assert transitions.claim(job, instance_id="i", slot="0", lease_s=60, seen=job, now=T0 + 59).attempt == 1
    with pytest.raises(NotClaimable):
        transitions.claim(job, instance_id="i", slot="0", lease_s=60, seen=job, now=T0 + 60)


def test_given_a_deadline_when_the_job_runs_already_then_it_is_left_to_finish() -> None:
    job = running()

    assert transitions.fail_waiting(job, JobError(code="deadline_exceeded", message=""), now=T0) == job


@pytest.mark.parametrize("state", list(State))
def test_given_any_state_then_terminal_means_no_way_out(state: State) -> None:
    assert is_terminal(state) == (MOVES[state] == frozenset())
    assert is_terminal(state) == (state in {State.COMPLETED, State.FAILED, State.CANCELLED})


@pytest.mark.parametrize("wrong", [0, 2, -1])
def test_given_another_fence_then_nothing_can_be_completed(wrong: int) -> None:
    job = running()

    with pytest.raises(FenceLost):
        transitions.complete(job, wrong, outputs=outputs(job), seconds_by_phase={}, cost_usd=0.0, now=T0)


def test_given_a_job_that_ends_between_two_heartbeats_then_it_still_tells_every_step() -> None:
    job = running()
    assert job.total_steps == 0

    done = transitions.complete(
        job, 1, outputs=outputs(job), seconds_by_phase={}, cost_usd=0.0, total_steps=4, now=T0 + 1
    )

    assert (done.step, done.total_steps, done.attempts[-1].last_step) == (4, 4, 4)


def priced(job: Job, at: float) -> Job:
    return transitions.claim(job, instance_id="i", slot="0", lease_s=60, usd_per_hour=3.6, now=at)


def test_given_attempts_with_a_price_then_each_tells_its_cost_and_the_job_their_sum() -> None:
    first = transitions.interrupt(priced(queued(), T0), 1, checkpoint_step=1, reason="spot", now=T0 + 10)
    # The second falls silent: its slot is paid for until the lease ended, whenever that is noticed.
    third = priced(priced(first, T0 + 100), T0 + 5000)

    job = transitions.complete(third, 3, outputs=outputs(third, 3), seconds_by_phase={}, cost_usd=0.004, now=T0 + 5010)

    assert [attempt.cost_usd for attempt in job.attempts] == [0.01, 0.06, 0.004]
    assert job.cost_usd == pytest.approx(0.074)


def test_given_no_price_then_no_cost_is_told() -> None:
    job = transitions.interrupt(running(), 1, checkpoint_step=1, reason="spot", now=T0 + 10)

    assert (job.attempts[0].cost_usd, job.cost_usd) == (None, None)


def test_given_a_job_that_never_ran_when_cancelled_then_it_cost_nothing_that_is_known() -> None:
    assert transitions.cancel(queued(), now=T0).cost_usd is None
