"""Sweeping and forecasts: decisions from values."""

import pytest

from jobs import transitions
from jobs.eta import eta_seconds, poll_after_ms
from jobs.job import JobError
from jobs.states import State
from jobs.sweeping import Policy, expiry_error, lost, to_resend
from tests.unit.jobs.made import T0, queued, request

POLICY = Policy(resend_after_s=600, max_wait_s=86_400)


def test_given_fewer_messages_than_jobs_then_the_oldest_due_ones_are_sent_again() -> None:
    jobs = [queued(queued_at=T0 + 100 * n) for n in range(5)]

    again = to_resend(jobs, running=1, messages=3, policy=POLICY, now=T0 + 950)

    assert again == jobs[:3]
    assert to_resend(jobs, running=1, messages=6, policy=POLICY, now=T0 + 950) == []
    assert to_resend(jobs, running=0, messages=0, policy=POLICY, now=T0 + 550) == []


def test_given_a_message_sent_again_then_not_each_minute() -> None:
    job = queued(sent_at=T0 + 900)

    assert to_resend([job], running=0, messages=0, policy=POLICY, now=T0 + 1000) == []
    assert to_resend([job], running=0, messages=0, policy=POLICY, now=T0 + 1500) == [job]


def test_given_a_deadline_or_a_day_in_the_queue_then_the_job_is_given_up_with_the_reason() -> None:
    due = queued(request=request(deadline=int(T0) + 60))

    assert expiry_error(due, POLICY, now=T0 + 59) is None
    passed, waited = expiry_error(due, POLICY, now=T0 + 60), expiry_error(queued(), POLICY, now=T0 + 86_400)
    assert passed is not None
    assert waited is not None
    assert (passed.code, waited.code) == ("deadline_exceeded", "capacity_timeout")


def test_given_a_passed_deadline_when_the_job_had_begun_and_was_interrupted_then_it_goes_on() -> None:
    job = queued(request=request(deadline=int(T0) + 600))
    taken = transitions.claim(job, instance_id="i", slot="0", lease_s=60, now=T0 + 599)
    interrupted = transitions.interrupt(taken, 1, checkpoint_step=7, reason="spot", now=T0 + 601)

    assert expiry_error(interrupted, POLICY, now=T0 + 660) is None
    assert transitions.claim(interrupted, instance_id="i", slot="0", lease_s=60, now=T0 + 660).attempt == 2
    waited = expiry_error(interrupted, POLICY, now=T0 + POLICY.max_wait_s)
    assert waited is not None
    assert waited.code == "capacity_timeout"


def test_given_a_passed_deadline_when_the_job_is_redriven_then_it_fails_unless_it_has_begun_anew() -> None:
    died = JobError(code=transitions.WORKER_CRASHED, message="The worker crashed 3 times.")
    due = request(deadline=int(T0) + 600)
    again = transitions.redrive(queued(status=State.FAILED, error=died, attempt=3, request=due), now=T0 + 500)
    taken = transitions.claim(again, instance_id="i", slot="0", lease_s=60, now=T0 + 599)
    interrupted = transitions.interrupt(taken, 4, checkpoint_step=0, reason="spot", now=T0 + 601)

    late = expiry_error(again, POLICY, now=T0 + 600)
    assert late is not None
    assert late.code == "deadline_exceeded"
    assert expiry_error(interrupted, POLICY, now=T0 + 660) is None


def test_given_a_dead_letter_of_long_ago_when_redriven_then_it_has_waited_since_then_only() -> None:
    """Else the next sweep would give it up, and its letter, with which it could be tried again, would be gone."""
    died = JobError(code=transitions.WORKER_CRASHED, message="The worker crashed 3 times.")
    redriven_at = T0 + 10 * POLICY.max_wait_s
    again = transitions.redrive(queued(status=State.FAILED, error=died, attempt=3), now=redriven_at)
    taken = transitions.claim(again, instance_id="i", slot="0", lease_s=60, now=redriven_at + 600)
    interrupted = transitions.interrupt(taken, 4, checkpoint_step=0, reason="spot", now=redriven_at + 660)

    for waiting in (again, interrupted):
        late = expiry_error(waiting, POLICY, now=redriven_at + POLICY.max_wait_s)
        assert expiry_error(waiting, POLICY, now=redriven_at + POLICY.max_wait_s - 1) is None
        assert late is not None
        assert late.code == "capacity_timeout"


def test_given_running_jobs_then_only_those_with_a_dead_lease_are_lost() -> None:
    job = transitions.claim(queued(), instance_id="i", slot="0", lease_s=60, now=T0)

    assert lost([job], now=T0 + 59) == []
    assert lost([job], now=T0 + 60) == [job]


def test_given_jobs_ahead_and_no_instance_then_the_forecast_counts_them_and_the_boot() -> None:
    job = queued()

    assert eta_seconds(job, ahead=3, slots=1, now=T0) == pytest.approx(41.0)
    booting = job.model_copy(update={"estimate": job.estimate and job.estimate.model_copy(update={"boot_s": 150.0})})
    assert eta_seconds(booting, ahead=0, slots=0, now=T0) == pytest.approx(161.0)


def test_given_a_running_job_then_the_forecast_follows_its_own_pace() -> None:
    job = transitions.claim(queued(), instance_id="i", slot="0", lease_s=60, now=T0)
    job = transitions.heartbeat(
        job, 1, lease_s=60, step=4, total_steps=8, phase="denoise", checkpoint_step=None, now=T0 + 20
    )

    assert eta_seconds(job, ahead=0, slots=1, now=T0 + 25) == pytest.approx(15.0)


@pytest.mark.parametrize(("eta_s", "wait_ms"), [(None, 1000), (0.0, 500), (60.0, 3000), (1e9, 15_000)])
def test_given_a_forecast_then_clients_ask_again_in_proportion(eta_s: float | None, wait_ms: int) -> None:
    assert poll_after_ms(eta_s) == wait_ms
