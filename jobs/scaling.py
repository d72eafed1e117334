"""How many instances the queue needs: a function of values, called by the planner, the tests and the simulator."""

import math
from typing import NamedTuple


class Demand(NamedTuple):
    """What is to be done: queued jobs and their predicted seconds on a slot, and jobs running now."""

    queued: int
    queued_s: float
    running: int


class Limits(NamedTuple):
    """`max_instances` is the operator's; `target_backlog_s` the seconds of queued work that one slot should have."""

    max_instances: int
    slots_per_instance: int
    target_backlog_s: float


def desired_instances(demand: Demand, limits: Limits, *, current: int) -> int:
    """The capacity to ask for: enough slots for what runs, and for the backlog one per `target_backlog_s`.

    Never less than `current`: idle agents end themselves, so that a scale-in never meets a running job. Never above the
    maximum, unless the group is there already."""
    backlog_slots = min(demand.queued, math.ceil(demand.queued_s / limits.target_backlog_s))
    if demand.queued:
        backlog_slots = max(backlog_slots, 1)
    needed = math.ceil((demand.running + backlog_slots) / limits.slots_per_instance)
    return max(current, min(needed, limits.max_instances))
