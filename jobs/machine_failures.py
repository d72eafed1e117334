"""Machines that fail under a job one after the other: by then it is not the machine, but what every machine is given.

A full disk or weights that cannot be had are the machine's failure, and the job goes on elsewhere. Weights that are
broken in the bucket, or a job that no disk can hold, would pass it on until it had waited too long.
"""

from itertools import takewhile

from jobs.job import Attempt, Job, JobError

MACHINE_FAILED = "machine_failed"  # the error's code; an attempt that ended so has it before its reason
LASTS_S = 1800.0  # a bucket that cannot be reached for some minutes fails every machine alike, and is no reason yet
MAX_INSTANCES = 3
# A single instance may be all there is, and stay, its other jobs being fine. One that is broken takes itself out of
# service sooner: after four failures of each of eight slots at most. A record keeps more attempts than this.
MAX_IN_A_ROW = 40


def machine_reason(reason: str) -> str:
    """The reason of an attempt under which its machine failed."""
    return f"{MACHINE_FAILED}: {reason}"


def failing_since(job: Job, *, now: float) -> float:
    """When the first of a job's last attempts, that ended by failures of their machines, did. The record keeps the
    time, but not all attempts."""
    known = job.machines_failing_since
    return now if known is None or len(_row(job)) <= 1 else known


def machines_error(job: Job, *, now: float) -> JobError | None:
    """Why a job whose last attempts ended by failures of their machines is to be given up, if it is."""
    row, since = _row(job), job.machines_failing_since
    instances = len({attempt.instance_id for attempt in row})
    if since is None or now - since < LASTS_S or (instances < MAX_INSTANCES and len(row) < MAX_IN_A_ROW):
        return None
    last = (row[0].reason or "").removeprefix(f"{MACHINE_FAILED}: ")
    message = f"Machines failed for {(now - since) / 60:.0f} minutes, the last {len(row)} times in a row, "
    message += f"on {instances} instances; the last time: {last}"
    return JobError(code=MACHINE_FAILED, message=message)


def _row(job: Job) -> list[Attempt]:
    """The newest first."""
    return list(takewhile(is_machine_failure, reversed(job.attempts)))


def is_machine_failure(attempt: Attempt) -> bool:
    """Whether the attempt ended by a failure of its machine, and not for want of capacity."""
    return attempt.outcome == "interrupted" and (attempt.reason or "").startswith(MACHINE_FAILED)
