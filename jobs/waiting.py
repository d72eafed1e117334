"""What a queued job's record says about its turn: the agents' choice and the planner read it alike."""

from jobs.job import Attempt, Job
from jobs.machine_failures import is_machine_failure
from jobs.request import Priority
from jobs.states import State

PRIORITY_LEVELS: dict[Priority, int] = {"low": -1, "normal": 0, "high": 1}
LOST_TO_CAPACITY = frozenset({"interrupted", "lost"})
MOVED = "moved"  # an attempt's reason: the planner had the job go on elsewhere, no capacity was lost
ON_DEMAND_AFTER_LOSSES = 2  # a second interruption must not meet a third Spot instance
ON_DEMAND_PATIENCE_S = 900.0  # how long a job marked so waits for on-demand before Spot may run it: it has to end


def lost_to_capacity(attempt: Attempt) -> bool:
    """Whether the attempt ended because its capacity went away, be it by a notice or without one."""
    return attempt.outcome in LOST_TO_CAPACITY and attempt.reason != MOVED and not is_machine_failure(attempt)


def wants_on_demand(job: Job) -> bool:
    """Whether lost capacity has hit the waiting `job` so often that Spot should not run it any more.

    One that waits though it is in progress has outlived its lease: that attempt is lost, too, though nobody wrote it
    yet."""
    losses = sum(map(lost_to_capacity, job.attempts))
    return losses + (job.status is State.IN_PROGRESS) >= ON_DEMAND_AFTER_LOSSES


def patience_is_over(job: Job, at_s: float) -> bool:
    """Whether Spot may run the waiting `job` by then, though it is marked for on-demand: that has not come."""
    waits_since_s = max(job.queued_at, job.lease_expires_at or 0.0)
    return wants_on_demand(job) and at_s - waits_since_s >= ON_DEMAND_PATIENCE_S
