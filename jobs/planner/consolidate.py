"""Which instance could be spared: one whose few jobs fit into slots that idle elsewhere.

An instance is paid for whole, however many of its slots work. After a rush each of several is kept by its last long
job; a job that was saved at a step goes on elsewhere for the price of loading a model. So the fleet is drawn together:
one instance at a time, when nothing waits, and only where enough work is left on either side to be worth it.
"""

from collections.abc import Sequence

from jobs.planner.situation import GroupState, Limits, Member, Situation


def spare(situation: Situation, limits: Limits) -> str | None:
    """The id of the instance whose agent should hand over its jobs and leave; None where there is none."""
    if situation.backlog:
        return None
    groups = (situation.spot, situation.on_demand)
    if sum(group.instances for group in groups) <= max(1, situation.warm_minimum):
        return None
    found = (_spare_of(group.members, limits) for group in groups if _is_settled(group))
    return next((member_id for member_id in found if member_id is not None), None)


def _is_settled(group: GroupState) -> bool:
    """Whether all that was asked for is there, with an agent that takes work: nothing boots, nothing leaves."""
    return group.desired == group.instances == len(group.members) and not group.leaving


def _spare_of(members: Sequence[Member], limits: Limits) -> str | None:
    lasting = [one for one in members if one.busy_s and max(one.busy_s) >= limits.move_least_s]
    for one in sorted(lasting, key=lambda member: (len(member.busy_s), max(member.busy_s), member.id)):
        # Only between like machines: the same video bit for bit is a promise for the same kind of GPU.
        free = sum(other.idle_slots for other in lasting if other is not one and other.kind == one.kind)
        if len(one.busy_s) <= free:
            return one.id
    return None
