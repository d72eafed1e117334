"""What a change of a job's record says about how well the studio does: pure, from old and new record to figures."""

from typing import NamedTuple

from jobs.job import Attempt, Job
from jobs.states import State
from jobs.waiting import lost_to_capacity


class Figure(NamedTuple):
    """One value of a metric. `by` names a dimension and its value; none: the studio's as a whole."""

    name: str
    value: float
    unit: str
    by: tuple[str, str] | None = None


def figures(old: Job | None, new: Job | None) -> list[Figure]:
    """Of one change. A video has no frame to show before all are made: its first frame comes with the file."""
    if old is None or new is None or old.status is State.COMPLETED:
        return []
    found = _lost(old, new)
    if old.status is not State.IN_PROGRESS and new.status is State.IN_PROGRESS and new.attempt == 1:
        found.append(Figure("TimeToStart", (new.started_at or new.updated_at) - new.created_at, "Seconds"))
    if old.status is new.status:
        return found
    if new.status is State.COMPLETED:
        found += _completed(new)
    if new.status is State.FAILED:
        code = new.error.code if new.error else "unknown"
        found += [Figure("JobsFailed", 1, "Count"), Figure("JobsFailed", 1, "Count", ("reason", code))]
    return found


def _completed(job: Job) -> list[Figure]:
    took_s = (job.completed_at or job.updated_at) - job.waiting_since
    found = [Figure("VideosCompleted", 1, "Count")]
    for by in (None, ("model", job.model)):
        found.append(Figure("TimeToVideo", took_s, "Seconds", by))
        if job.cost_usd is not None:
            found.append(Figure("CostPerVideoUsd", job.cost_usd, "None", by))
    return found


def _lost(old: Job, new: Job) -> list[Figure]:
    """Attempts that this change ended for want of capacity, and the steps that have to be done again."""
    ended = _just_ended(old, new)
    if ended is None or not lost_to_capacity(ended):
        return []
    steps = max(0, ended.last_step - new.checkpoint_step)
    return [Figure("Interruptions", 1, "Count"), Figure("StepsLost", steps, "Count")]


def _just_ended(old: Job, new: Job) -> Attempt | None:
    running = next((one for one in reversed(old.attempts) if one.outcome == "running"), None)
    if running is None:
        return None
    after = next((one for one in new.attempts if one.number == running.number), None)
    return None if after is None or after.outcome == "running" else after
