"""What may happen to a job, as functions of values: old record in, new record out. `jobs.store` writes the result.

A job's record changes here and nowhere else. Losing capacity never counts against a job; crashing its agent does.
"""

from typing import Any

from jobs.errors import FenceLost, NotClaimable, NotRedrivable
from jobs.job import Attempt, AttemptOutcome, Job, JobError, Outputs, Phase, Redrive
from jobs.limits import unreserved
from jobs.machine_failures import failing_since, machine_reason, machines_error
from jobs.states import State, is_terminal

MAX_CRASHES = 3
WORKER_CRASHED = "worker_crashed"
SECONDS_PER_HOUR = 3600.0
MAX_ATTEMPTS_KEPT = 50  # a job may be interrupted without end; its record must not grow without end


def _with(job: Job, now: float, **changes: Any) -> Job:
    return job.model_copy(update={**changes, "updated_at": now})


def _closed(
    job: Job, now: float, outcome: AttemptOutcome, reason: str | None, *, cost_usd: float | None = None
) -> tuple[Attempt, ...]:
    """The attempts, with the running one ended. `cost_usd` is what its agent reckoned, else its time is priced."""
    if not job.attempts or job.attempts[-1].outcome != "running":
        return job.attempts
    last = job.attempts[-1]
    ended = {
        "ended_at": now,
        "outcome": outcome,
        "reason": reason,
        "last_step": job.step,
        "cost_usd": _time_cost_usd(job, last, now) if cost_usd is None else cost_usd,
    }
    return (*job.attempts[:-1], last.model_copy(update=ended))


def _time_cost_usd(job: Job, attempt: Attempt, now: float) -> float | None:
    """What the slot cost from the claim on: until now, or, of an agent that fell silent, until its lease ended."""
    if attempt.usd_per_hour is None:
        return None
    until = now if job.lease_expires_at is None else min(now, job.lease_expires_at)
    return round(max(0.0, until - attempt.started_at) * attempt.usd_per_hour / SECONDS_PER_HOUR, 6)


def _total_usd(job: Job, attempts: tuple[Attempt, ...]) -> float | None:
    """The job's cost once `attempts` is what has become of its attempts; None while nobody knows the cost of any."""
    just_ended = bool(attempts) and attempts != job.attempts
    spent = attempts[-1].cost_usd if just_ended else None
    return job.cost_usd if spent is None else round((job.cost_usd or 0.0) + spent, 6)


def _guard(job: Job, attempt: int) -> None:
    if job.status is not State.IN_PROGRESS or job.attempt != attempt:
        raise FenceLost(job.id, attempt)


def lease_alive(job: Job, now: float) -> bool:
    """Whether a running attempt still owns the job."""
    return job.status is State.IN_PROGRESS and job.lease_expires_at is not None and job.lease_expires_at > now


def claim(
    job: Job,
    *,
    instance_id: str,
    slot: str,
    lease_s: float,
    usd_per_hour: float | None = None,
    seen: Job | None = None,
    now: float,
) -> Job:
    """A new attempt takes a queued job, or one whose lease has run out (its attempt is then `lost`).

    `seen` is the job as it was chosen and its inputs were fetched: nobody may have been at work on it since.
    Raises NotClaimable if the job has ended, is to be cancelled, is another's, has moved on since it was seen, or is
    too late to begin: it may have been chosen in time, and its slot was not free by then."""
    moved_on = seen is not None and (job.attempt, job.checkpoint_step) != (seen.attempt, seen.checkpoint_step)
    is_over = is_terminal(job.status) or job.cancel_requested or job.is_too_late(now)
    if is_over or lease_alive(job, now) or moved_on:
        raise NotClaimable(job.id, job.status, lease_expires_at=job.lease_expires_at)
    number = job.attempt + 1
    attempt = Attempt(
        number=number,
        instance_id=instance_id,
        slot=slot,
        started_at=now,
        resumed_from_step=job.checkpoint_step,
        usd_per_hour=usd_per_hour,
    )
    before = _closed(job, now, "lost", "lease expired")
    return _with(
        job,
        now,
        status=State.IN_PROGRESS,
        attempt=number,
        attempts=(*before, attempt)[-MAX_ATTEMPTS_KEPT:],
        cost_usd=_total_usd(job, before),
        started_at=job.started_at if job.started_at is not None else now,
        lease_expires_at=now + lease_s,
        phase=None,
        step=job.checkpoint_step,
    )


def heartbeat(
    job: Job,
    attempt: int,
    *,
    lease_s: float,
    step: int,
    total_steps: int,
    phase: Phase | None,
    checkpoint_step: int | None,
    now: float,
) -> Job:
    """Renew the lease and record progress. An attempt that reports an earlier checkpoint than it was given could not go
    on from that one, and has begun anew. Raises FenceLost."""
    _guard(job, attempt)
    current = job.attempts[-1]
    began_at = current.resumed_from_step if checkpoint_step is None else min(current.resumed_from_step, checkpoint_step)
    return _with(
        job,
        now,
        attempts=(*job.attempts[:-1], current.model_copy(update={"resumed_from_step": began_at})),
        lease_expires_at=now + lease_s,
        step=step,
        total_steps=total_steps,
        phase=phase,
        checkpoint_step=job.checkpoint_step if checkpoint_step is None else checkpoint_step,
    )


def _end(
    job: Job,
    now: float,
    status: State,
    outcome: AttemptOutcome,
    reason: str | None,
    *,
    cost_usd: float | None = None,
    **changes: Any,
) -> Job:
    attempts = _closed(job, now, outcome, reason, cost_usd=cost_usd)
    return _with(
        job,
        now,
        status=status,
        attempts=attempts,
        cost_usd=_total_usd(job, attempts),
        completed_at=now,
        lease_expires_at=None,
        phase=None,
        **changes,
    )


def complete(
    job: Job,
    attempt: int,
    *,
    outputs: Outputs,
    seconds_by_phase: dict[str, float],
    cost_usd: float | None,
    total_steps: int | None = None,
    now: float,
) -> Job:
    """The attempt finished: its outputs are the job's. `cost_usd` is the attempt's; the job's is that of all attempts.
    `total_steps` as the worker counted them (a short job ends between two heartbeats); None: as last reported.

    Raises FenceLost."""
    _guard(job, attempt)
    steps = job.total_steps if total_steps is None else total_steps
    return _end(
        job.model_copy(update={"step": steps, "total_steps": steps}),
        now,
        State.COMPLETED,
        "completed",
        None,
        outputs=outputs,
        seconds_by_phase=dict(seconds_by_phase),
        cost_usd=cost_usd,
    )


def fail(job: Job, attempt: int, error: JobError, *, now: float) -> Job:
    """The attempt found that the job cannot succeed. Raises FenceLost."""
    _guard(job, attempt)
    return _end(job, now, State.FAILED, "failed", error.message, error=error)


def fail_waiting(job: Job, error: JobError, *, now: float) -> Job:
    """A queued job is given up (its deadline has passed). Any other is returned as it is."""
    if job.status is not State.QUEUED:
        return job
    return _end(job, now, State.FAILED, "failed", error.message, error=error)


def interrupt(
    job: Job, attempt: int, *, checkpoint_step: int, reason: str, outcome: AttemptOutcome = "interrupted", now: float
) -> Job:
    """The capacity goes away: queued again, to go on from `checkpoint_step`; no retry is used up. Raises FenceLost.

    A job that was to be cancelled is cancelled instead: nobody would take it up again."""
    _guard(job, attempt)
    if job.cancel_requested:
        return _end(job, now, State.CANCELLED, "cancelled", reason)
    attempts = _closed(job, now, outcome, reason)
    return _with(
        job,
        now,
        status=State.QUEUED,
        attempts=attempts,
        cost_usd=_total_usd(job, attempts),
        queued_at=now,
        sent_at=None,
        lease_expires_at=None,
        phase=None,
        step=checkpoint_step,
        checkpoint_step=checkpoint_step,
    )


def reap(job: Job, *, now: float) -> Job:
    """An attempt whose lease ran out is lost, and its job queued again. Other jobs are returned as they are."""
    if job.status is not State.IN_PROGRESS or lease_alive(job, now):
        return job
    return interrupt(
        job, job.attempt, checkpoint_step=job.checkpoint_step, reason="lease expired", outcome="lost", now=now
    )


def record_crash(job: Job, attempt: int, *, reason: str, now: float) -> Job:
    """The worker crashed: queued again from the last checkpoint, or failed at the third time. Raises FenceLost."""
    _guard(job, attempt)
    crashes = job.crashes + 1
    if crashes >= MAX_CRASHES and not job.cancel_requested:
        error = JobError(code=WORKER_CRASHED, message=f"The worker crashed {crashes} times; the last time: {reason}")
        return _end(job, now, State.FAILED, "crashed", reason, crashes=crashes, error=error)
    back = interrupt(job, attempt, checkpoint_step=job.checkpoint_step, reason=reason, outcome="crashed", now=now)
    return back.model_copy(update={"crashes": crashes})


def record_machine_failure(job: Job, attempt: int, *, checkpoint_step: int, reason: str, now: float) -> Job:
    """The machine failed under the job: queued again as by `interrupt`, or failed once one after the other did.

    Raises FenceLost."""
    why = machine_reason(reason)
    back = interrupt(job, attempt, checkpoint_step=checkpoint_step, reason=why, now=now)
    back = back.model_copy(update={"machines_failing_since": failing_since(back, now=now)})
    error = machines_error(back, now=now) if back.status is State.QUEUED else None
    return back if error is None else _end(job, now, State.FAILED, "failed", reason, error=error)


def redrive(job: Job, *, now: float) -> Job:
    """An operator tries again a job that was given up for its crashes: queued, to start anew as the next attempt.

    Its checkpoints went with its failure, and may have been what crashed it; so did what was reserved for it.
    Raises NotRedrivable."""
    code = job.error.code if job.error is not None else None
    if job.status is not State.FAILED or code != WORKER_CRASHED:
        raise NotRedrivable(job.id, job.status, code)
    return _with(
        job,
        now,
        status=State.QUEUED,
        queued_at=now,
        sent_at=None,
        completed_at=None,
        crashes=0,
        redrive=Redrive(at=now, after_attempt=job.attempt, cost_usd=job.cost_usd),
        charge=None if job.charge is None else unreserved(job.charge, now=now),
        error=None,
        step=0,
        checkpoint_step=0,
    )


def cancel(job: Job, *, now: float) -> Job:
    """The caller no longer wants it: at once if queued, asked of the agent if running. Ended jobs stay as they are."""
    if job.status is State.QUEUED:
        return _end(job, now, State.CANCELLED, "cancelled", None)
    if job.status is State.IN_PROGRESS and not job.cancel_requested:
        return _with(job, now, cancel_requested=True)
    return job


def cancelled(job: Job, attempt: int, *, now: float) -> Job:
    """The agent stopped a job that was to be cancelled. Raises FenceLost."""
    _guard(job, attempt)
    return _end(job, now, State.CANCELLED, "cancelled", "cancelled by the caller")


def sent(job: Job, *, now: float) -> Job:
    """Its message is in the queue."""
    return job.model_copy(update={"sent_at": now}) if job.status is State.QUEUED else job
