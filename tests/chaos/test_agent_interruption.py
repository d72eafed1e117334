"""Spot notices, kills without notice, stops and bad checkpoints: nothing is lost, and the video stays the same."""

import signal
from pathlib import Path
from typing import Any

from jobs import s3_keys
from jobs.job import Job
from jobs.states import State
from tests.chaos.conftest import StartAgent
from tests.chaos.world.agents import AgentProcess, ended, submit, wait_for
from tests.chaos.world.emulator import LocalAws
from tests.chaos.world.imds import StandInImds

LONG: dict[str, Any] = {"num_inference_steps": 50, "num_frames": 17, "size": "128x128"}


def video_of(aws: LocalAws, job: Job) -> bytes:
    assert job.status is State.COMPLETED, job.error
    assert job.outputs is not None
    return bytes(aws.client("s3").get_object(Bucket=aws.bucket, Key=job.outputs.video)["Body"].read())


def wait_for_checkpoint(aws: LocalAws, job: Job, *, at_least: int) -> None:
    wait_for(lambda: aws.store().get(job.id).checkpoint_step >= at_least, what=f"checkpoint {at_least}")


def test_given_a_spot_notice_when_the_step_has_ended_then_the_job_resumes_elsewhere_with_the_same_video(
    aws: LocalAws, agent: StartAgent, imds: StandInImds
) -> None:
    reference = submit(aws, **LONG)
    first = agent("i-first", imds_endpoint=imds.endpoint)
    untouched = video_of(aws, ended(aws, reference))
    job = submit(aws, **LONG)
    wait_for_checkpoint(aws, job, at_least=5)

    imds.give_spot_notice(in_s=120)

    assert first.process.wait(60) == 0
    waiting = aws.store().get(job.id)
    assert waiting.status is State.QUEUED
    assert waiting.attempts[0].outcome == "interrupted"
    assert waiting.checkpoint_step == waiting.attempts[0].last_step >= 5
    agent("i-second")
    done = ended(aws, job)
    assert done.attempts[1].resumed_from_step == waiting.checkpoint_step
    assert done.crashes == 0
    assert video_of(aws, done) == untouched


def test_given_a_notice_too_short_for_the_step_then_the_last_periodic_checkpoint_is_kept(
    aws: LocalAws, agent: StartAgent, imds: StandInImds
) -> None:
    job = submit(aws, **LONG)
    one = agent("i-one", imds_endpoint=imds.endpoint, notice_margin_s=1000)
    wait_for_checkpoint(aws, job, at_least=5)

    imds.give_spot_notice(in_s=120)

    assert one.process.wait(60) == 0
    assert [line["action"] for line in one.said("acting on notice")] == ["keep-last-checkpoint"]
    waiting = aws.store().get(job.id)
    assert (waiting.status, waiting.attempts[0].outcome, waiting.crashes) == (State.QUEUED, "interrupted", 0)
    assert waiting.checkpoint_step >= 5
    assert aws.queues().depth("wan-mini").visible == 1


def test_given_a_kill_without_notice_then_the_job_resumes_from_its_last_checkpoint_with_the_same_video(
    aws: LocalAws, agent: StartAgent
) -> None:
    reference = submit(aws, **LONG)
    first = agent("i-first")
    untouched = video_of(aws, ended(aws, reference))
    job = submit(aws, **LONG)
    wait_for_checkpoint(aws, job, at_least=5)

    first.kill_machine()
    agent("i-second")

    done = ended(aws, job)
    assert [attempt.outcome for attempt in done.attempts] == ["lost", "completed"]
    assert done.attempts[1].resumed_from_step >= 5
    assert done.crashes == 0
    assert video_of(aws, done) == untouched


def test_given_a_corrupt_checkpoint_then_it_is_discarded_and_the_job_starts_anew(
    aws: LocalAws, agent: StartAgent
) -> None:
    job = submit(aws, **LONG)
    first = agent("i-first")
    wait_for_checkpoint(aws, job, at_least=5)
    first.kill_machine()
    step = aws.store().get(job.id).checkpoint_step
    key = s3_keys.checkpoint(job.id, step)
    body = bytearray(aws.client("s3").get_object(Bucket=aws.bucket, Key=key)["Body"].read())
    body[len(body) // 2] ^= 0xFF
    aws.client("s3").put_object(Bucket=aws.bucket, Key=key, Body=bytes(body))

    second = agent("i-second")

    done = ended(aws, job)
    assert done.status is State.COMPLETED
    assert second.said("checkpoint discarded, starting anew")
    assert done.attempts[1].resumed_from_step <= 1  # the new first checkpoint may be told before the fall to 0 is


def test_given_sigterm_then_the_agent_gives_its_work_back_and_ends(aws: LocalAws, agent: StartAgent) -> None:
    job = submit(aws, **LONG)
    one = agent("i-one")
    wait_for_checkpoint(aws, job, at_least=2)

    one.process.send_signal(signal.SIGTERM)

    assert one.process.wait(60) == 0
    waiting = aws.store().get(job.id)
    assert (waiting.status, waiting.attempts[0].outcome) == (State.QUEUED, "interrupted")
    assert aws.queues().depth("wan-mini").visible == 1
    assert left_behind(one) == []
    assert one.said("loop did not end") == []


def test_given_a_cancellation_when_running_then_the_job_ends_before_its_last_step(
    aws: LocalAws, agent: StartAgent
) -> None:
    job = submit(aws, **LONG)
    agent("i-one")
    wait_for(lambda: aws.store().get(job.id).step >= 2, what="the second step")

    aws.store().cancel(job.id, owner="tenant")

    done = ended(aws, job)
    assert done.status is State.CANCELLED
    assert done.step < 50


def left_behind(agent: AgentProcess) -> list[Path]:
    """What an ended agent left in its scratch folder."""
    return [path for path in agent.log.parent.glob("scratch/*/*") if path.is_dir()]
