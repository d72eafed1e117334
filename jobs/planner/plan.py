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
    wanted = _missing_on_spot(situation, limits, room)
    memory = _remember(situation, limits, _unmet_since(situation, wanted))
    if situation.now_s < memory.closed_until_s:
        room.hold_for(situation.spot.failure)
        if not _broken(situation, limits):
            room.take("on_demand", _missing_on_either(situation, limits, room))
    else:
        room.take("spot", wanted)
    stopped = HoldCode.USD_PER_MONTH in room.holds
    return Plan(
        spot=room.desired["spot"],
        on_demand=room.desired["on_demand"],
        spot_minimum=0 if stopped else min(situation.warm_minimum, room.desired["spot"]),
        holds=tuple(dict.fromkeys(room.holds)),
        memory=memory,
        retire=spare(situation, limits) if room.pays_for_what_is_there else None,
    )


def _on_demand_jobs(situation: Situation, limits: Limits, room: Room) -> None:
    """Jobs that Spot took twice get on-demand instances of their own.

    Not for ever: what AWS cannot launch takes up the limits that Spot needs for those whose patience is over."""
    fails = situation.on_demand.failure is not None
    only = [entry for entry in _marked(situation, limits) if not (fails and entry.patience_is_over)]
    if only and not _broken(situation, limits):
        room.take("on_demand", _instances_for(only, [situation.on_demand], limits))


def _marked(situation: Situation, limits: Limits) -> list[Backlog]:
    """What waits for on-demand instances. Where there is no such group, its jobs are everybody's."""
    return [entry for entry in situation.backlog if entry.on_demand_only and limits.on_demand.max_instances]


def _missing_on_spot(situation: Situation, limits: Limits, room: Room) -> int:
    """Instances that Spot, while it is open, should have beyond its own.

    Ordinary work has to fit on Spot alone, for on-demand leaves it to Spot. Marked jobs whose patience is over may run
    on either, but an on-demand instance that AWS fails to launch is none to count on."""
    marked = _marked(situation, limits)
    ordinary = [entry for entry in situation.backlog if entry not in marked]
    missing = _instances_for(ordinary, [situation.spot], limits)
    late = [entry for entry in marked if entry.patience_is_over]
    if late:
        coming = [] if situation.on_demand.failure else [_granted_on_demand(situation, room)]
        both = [situation.spot, situation.on_demand, *coming]
        missing = max(missing, _instances_for([*ordinary, *late], both, limits))
    return max(missing, situation.warm_minimum - room.total)


def _missing_on_either(situation: Situation, limits: Limits, room: Room) -> int:
    """Instances that the whole backlog asks for while Spot is closed, beyond those of both groups and those granted."""
    groups = [situation.spot, situation.on_demand, _granted_on_demand(situation, room)]
    return max(_instances_for(situation.backlog, groups, limits), situation.warm_minimum - room.total)


def _granted_on_demand(situation: Situation, room: Room) -> GroupState:
    return GroupState(instances=room.desired["on_demand"] - situation.on_demand.instances)


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
    """Spot that has starved the backlog for long enough is closed for a while, where on-demand can stand in.

    So is Spot whose launches cannot work: the agents on demand go by the memory, and must not leave work to it."""
    closed_until_s = max(situation.memory.closed_until_s, _blocked_until_s(situation.spot.failure, limits))
    starved = unmet_since_s is not None and situation.now_s - unmet_since_s >= limits.starve_after_s
    if starved and limits.on_demand.max_instances:
        closed_until_s = situation.now_s + limits.retry_spot_after_s
        unmet_since_s = None
    return Memory(unmet_since_s=unmet_since_s, spot_instances=situation.spot.instances, closed_until_s=closed_until_s)


def _blocked_until_s(failure: LaunchFailure | None, limits: Limits) -> float:
    """A launch that failed for quota or configuration fails again until a person has acted: try only now and then."""
    if failure is None or failure.kind is FailureKind.CAPACITY:
        return 0.0
    return failure.at_s + limits.retry_launch_after_s


def _broken(situation: Situation, limits: Limits) -> bool:
    """Whether on-demand launches cannot work: their own failure, or the launch template that both groups share."""
    spot, own = situation.spot.failure, situation.on_demand.failure
    shared = spot if spot is not None and spot.kind is FailureKind.CONFIGURATION else None
    return situation.now_s < max(_blocked_until_s(own, limits), _blocked_until_s(shared, limits))
