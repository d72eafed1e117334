"""The figures that alarms and dashboard are made of, from changes of a job's record."""

from jobs import transitions
from jobs.job import Job, JobError
from jobs.outcome_metrics import Figure, figures
from jobs.states import State
from jobs.waiting import MOVED
from tests.unit.jobs.made import T0, outputs, queued


def running(*, step: int = 20, checkpoint_step: int = 16) -> Job:
    job = transitions.claim(queued(), instance_id="i", slot="s", lease_s=60, now=T0 + 30)
    return transitions.heartbeat(
        job, 1, lease_s=60, step=step, total_steps=40, phase="denoise", checkpoint_step=checkpoint_step, now=T0 + 90
    )


def test_given_a_claim_then_the_time_to_its_start_and_only_the_first_time() -> None:
    first = transitions.claim(queued(), instance_id="i", slot="s", lease_s=60, now=T0 + 30)
    back = transitions.interrupt(first, 1, checkpoint_step=0, reason="spot", now=T0 + 40)
    second = transitions.claim(back, instance_id="i", slot="s", lease_s=60, now=T0 + 50)

    assert figures(queued(), first) == [Figure("TimeToStart", 30.0, "Seconds")]
    assert figures(back, second) == []


def test_given_a_finished_video_then_its_time_and_cost_by_model_too() -> None:
    job = running()
    done = transitions.complete(job, 1, outputs=outputs(job), seconds_by_phase={}, cost_usd=0.2, now=T0 + 100)

    told = figures(job, done)

    assert Figure("TimeToVideo", 100.0, "Seconds") in told
    assert Figure("CostPerVideoUsd", 0.2, "None", ("model", "wan-mini")) in told
    assert figures(done, done) == []


def test_given_a_failure_then_it_is_counted_by_its_reason() -> None:
    failed = transitions.fail(running(), 1, JobError(code="bad_weights", message="m"), now=T0 + 100)

    assert Figure("JobsFailed", 1, "Count", ("reason", "bad_weights")) in figures(running(), failed)


def test_given_a_notice_then_an_interruption_and_the_steps_since_the_checkpoint() -> None:
    noticed = transitions.interrupt(running(), 1, checkpoint_step=20, reason="spot", now=T0 + 100)
    killed = transitions.reap(running(), now=T0 + 1000)

    assert figures(running(), noticed) == [Figure("Interruptions", 1, "Count"), Figure("StepsLost", 0, "Count")]
    assert figures(running(), killed)[1] == Figure("StepsLost", 4, "Count")


def test_given_a_dead_agents_job_that_another_claims_then_it_is_an_interruption_too() -> None:
    taken = transitions.claim(running(), instance_id="j", slot="s", lease_s=60, now=T0 + 1000)

    assert [figure.name for figure in figures(running(), taken)] == ["Interruptions", "StepsLost"]


def test_given_a_move_or_a_crash_or_a_new_job_then_no_interruption() -> None:
    moved = transitions.interrupt(running(), 1, checkpoint_step=20, reason=MOVED, now=T0 + 100)
    crashed = transitions.record_crash(running(), 1, reason="signal 9", now=T0 + 100)
    full = transitions.record_machine_failure(running(), 1, checkpoint_step=20, reason="disk: full", now=T0 + 100)

    assert figures(running(), moved) == []
    assert figures(running(), full) == []
    assert figures(running(), crashed) == []
    assert figures(None, queued()) == []
    assert crashed.status is State.QUEUED
