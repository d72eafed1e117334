"""From the situation to desired capacities: the one decision that production, its tests and the simulator share.

Capacities go upward only: an instance that is there is never taken away, for idle agents end themselves. What was asked
for and has not come may be taken back, so that a cancelled backlog launches nothing. An instance that could be spared
is named, and its agent hands over its jobs and leaves of its own accord.
"""

import math

from jobs.planner.consolidate import spare
from jobs.planner.room import Room
from jobs.planner.situation import (
    Backlog,
    FailureKind,
    GroupState,
    HoldCode,
    LaunchFailure,
    Limits,
    Memory,
    Plan,
    Situation,
)
from jobs.planner.slots import Aim, more_slots


def plan(situation: Situation, limits: Limits) -> Plan:
    """Desired capacity per group. Never above a limit, unless a group is above it already."""
    room = Room(situation, limits)
    _on_demand_jobs(situation, limits, room)
    wanted = _missing_instances(situation, limits, room)
    unmet_since_s = _unmet_since(situation, wanted)
    memory = _remember(situation, limits, unmet_since_s)
    closed = situation.now_s < memory.closed_until_s or _blocked(situation.spot.failure, situation.now_s, limits)
    if closed:
        room.hold_for(situation.spot.failure)
        if not _broken(situation, limits):
            room.take("on_demand", wanted)
    else:
        room.take("spot", wanted)
    stopped = HoldCode.USD_PER_MONTH in room.holds
    return Plan(
        spot=room.desired["spot"],
        on_demand=room.desired["on_demand"],
        spot_minimum=0 if stopped else min(situation.warm_minimum, room.desired["spot"]),
        holds=tuple(dict.fromkeys(room.holds)),
        memory=memory,
        retire=spare(situation, limits),
    )


def _on_demand_jobs(situation: Situation, limits: Limits, room: Room) -> None:
    """Jobs that Spot took twice get on-demand instances of their own; where there is no such group, they wait."""
    only = [entry for entry in situation.backlog if entry.on_demand_only]
    if only and limits.on_demand.max_instances and not _broken(situation, limits):
        room.take("on_demand", _instances_for(only, [situation.on_demand], limits))


def _missing_instances(situation: Situation, limits: Limits, room: Room) -> int:
    """Instances that the whole backlog and the warm minimum ask for, beyond those that are there or granted."""
    granted = room.total - situation.spot.instances - situation.on_demand.instances
    groups = [situation.spot, situation.on_demand, GroupState(instances=granted)]
    missing = _instances_for(situation.backlog, groups, limits)
    return max(missing, situation.warm_minimum - room.total)


def _instances_for(backlog: "tuple[Backlog, ...] | list[Backlog]", groups: list[GroupState], limits: Limits) -> int:
    ready_in_s: list[float] = []
    loaded: list[str] = []
    for group in groups:
        idle = max(0, group.instances * limits.slots_per_instance - len(group.busy_s))
        ready_in_s += [*group.busy_s, *([0.0] * idle)]
        loaded += group.loaded
    aim = Aim(least_s=limits.target_backlog_s, latency_target_s=limits.latency_target_s, boot_s=limits.boot_s)
    slots = more_slots(backlog, ready_in_s, loaded=loaded, aim=aim)
    return math.ceil(slots / limits.slots_per_instance)


def _unmet_since(situation: Situation, wanted: int) -> float | None:
    """Since when Spot owes an instance: from the run that first saw it asked for and not delivered."""
    memory, spot = situation.memory, situation.spot
    if wanted <= 0 or spot.desired <= spot.instances:
        return None
    if memory.unmet_since_s is None or spot.instances > memory.spot_instances:
        return situation.now_s
    return memory.unmet_since_s


def _remember(situation: Situation, limits: Limits, unmet_since_s: float | None) -> Memory:
    """Spot that has starved the backlog for long enough is closed for a while, where on-demand can stand in."""
    closed_until_s = situation.memory.closed_until_s
    starved = unmet_since_s is not None and situation.now_s - unmet_since_s >= limits.starve_after_s
    if starved and limits.on_demand.max_instances:
        closed_until_s = situation.now_s + limits.retry_spot_after_s
        unmet_since_s = None
    return Memory(unmet_since_s=unmet_since_s, spot_instances=situation.spot.instances, closed_until_s=closed_until_s)


def _blocked(failure: LaunchFailure | None, now_s: float, limits: Limits) -> bool:
    """A launch that failed for quota or configuration fails again until a person has acted: try only now and then."""
    if failure is None or failure.kind is FailureKind.CAPACITY:
        return False
    return now_s - failure.at_s < limits.retry_launch_after_s


def _broken(situation: Situation, limits: Limits) -> bool:
    """Whether on-demand launches cannot work: their own failure, or the launch template that both groups share."""
    spot, own = situation.spot.failure, situation.on_demand.failure
    shared = spot is not None and spot.kind is FailureKind.CONFIGURATION
    return _blocked(own, situation.now_s, limits) or (shared and _blocked(spot, situation.now_s, limits))
