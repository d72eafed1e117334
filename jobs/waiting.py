"""What a queued job's record says about its turn: the agents' choice and the planner read it alike."""

from jobs.job import Attempt, Job
from jobs.machine_failures import is_machine_failure
from jobs.request import Priority
from jobs.states import State

PRIORITY_LEVELS: dict[Priority, int] = {"low": -1, "normal": 0, "high": 1}
LOST_TO_CAPACITY = frozenset({"interrupted", "lost"})
MOVED = "moved"  # an attempt's reason: the planner had the job go on elsewhere, no capacity was lost
ON_DEMAND_AFTER_LOSSES = 2  # a second interruption must not meet a third Spot instance


def lost_to_capacity(attempt: Attempt) -> bool:
    """Whether the attempt ended because its capacity went away, be it by a notice or without one."""
    return attempt.outcome in LOST_TO_CAPACITY and attempt.reason != MOVED and not is_machine_failure(attempt)


def wants_on_demand(job: Job) -> bool:
    """Whether lost capacity has hit the waiting `job` so often that Spot should not run it any more.

    One that waits though it is in progress has outlived its lease: that attempt is lost, too, though nobody wrote it
    yet."""
    losses = sum(map(lost_to_capacity, job.attempts))
    return losses + (job.status is State.IN_PROGRESS) >= ON_DEMAND_AFTER_LOSSES
