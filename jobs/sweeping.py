"""What the sweeper does with each job that is not ended: decided here, from values."""

from collections.abc import Iterable
from typing import NamedTuple

from jobs.job import Job, JobError
from jobs.transitions import lease_alive

# A running job is looked at once it takes so many times what was predicted, and this much longer at least.
STALLED_TIMES = 3.0
STALLED_LEAST_S = 600.0


class Policy(NamedTuple):
    """Seconds: after how long a queued job's message is looked for, and how long a job may wait at all."""

    resend_after_s: float
    max_wait_s: float


def expiry_error(job: Job, policy: Policy, *, now: float) -> JobError | None:
    """Why a queued job is to be given up, if it is."""
    if job.is_too_late(now):
        return JobError(code="deadline_exceeded", message="The deadline passed before the video could be begun.")
    if now - job.waiting_since >= policy.max_wait_s:
        message = f"No capacity was found within {policy.max_wait_s / 3600:g} hours."
        return JobError(code="capacity_timeout", message=message)
    return None


def lost(jobs: Iterable[Job], *, now: float) -> list[Job]:
    """Running jobs whose lease has run out: their agents are gone."""
    return [job for job in jobs if not lease_alive(job, now)]


def to_resend(queued: Iterable[Job], *, running: int, messages: int, policy: Policy, now: float) -> list[Job]:
    """Which of a model's queued jobs get a message again: as many as its queue holds too few, oldest first.

    SQS's counts are approximate, and so is the deficit; a message too many does no harm, because a job is claimed by a
    conditional write. Each queued and each running job should have one message."""
    waiting = list(queued)
    missing = len(waiting) + running - messages
    due = [job for job in waiting if now - max(job.queued_at, job.sent_at or 0.0) >= policy.resend_after_s]
    return due[: max(0, missing)]


def stalled(running: Iterable[Job], *, now: float) -> list[Job]:
    """Jobs whose attempt lives, and takes far longer than was predicted: an agent that hangs, or an estimate that is
    wrong. Without an estimate nobody can tell."""
    return [job for job in running if job.estimate and lease_alive(job, now) and _overdue_s(job, now) > 0]


def _overdue_s(job: Job, now: float) -> float:
    assert job.estimate is not None
    predicted_s = job.estimate.load_s + job.estimate.seconds
    return now - job.attempts[-1].started_at - max(STALLED_TIMES * predicted_s, predicted_s + STALLED_LEAST_S)
