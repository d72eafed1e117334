"""The policies that are compared: how the fleet is sized, whether work survives, whether loaded weights count."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from gpu_agent.choice import ChoicePolicy
from jobs.planner import GroupLimits, Limits, Memory, Situation, plan
from simulator.scenario import Fleet


class Sizing(NamedTuple):
    """Desired instances of both markets, what the planner wants to remember, and whom it can spare."""

    spot: int
    on_demand: int
    memory: Memory
    retire: str | None = None


Sizer = Callable[[Situation], Sizing]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One way to run the fleet. `messages_per_slot` sizes it by message count; None asks production's planner.

    `moves`: the last jobs of an instance go on elsewhere where they fit. Whoever cannot resume cannot move."""

    name: str
    messages_per_slot: float | None = None
    resumes: bool = True
    has_affinity: bool = True
    uses_spot: bool = True
    moves: bool = True

    def choice(self, fleet: Fleet) -> ChoicePolicy:
        """Production's choice of work; a queue-driven fleet takes the oldest of the highest priority, and without
        affinity the head of the order is never passed over."""
        bound_s = ChoicePolicy().affinity_bound_s if self.has_affinity else 0.0
        aim_s = fleet.latency_target_s if self.messages_per_slot is None else None
        return ChoicePolicy(affinity_bound_s=bound_s, latency_target_s=aim_s)

    def sizer(self, fleet: Fleet) -> Sizer:
        """The decision that this policy takes each minute and at submits."""
        if self.messages_per_slot is None:
            limits = production_limits(fleet, uses_spot=self.uses_spot)
            return lambda situation: _planned(situation, limits)
        per_instance = self.messages_per_slot * fleet.slots_per_instance
        return lambda situation: _counted(situation, fleet, per_instance)


OURS = Policy(name="ours")
VARIANTS = (
    Policy(name="restart from zero", resumes=False, moves=False),
    Policy(name="no moving together", moves=False),
    Policy(name="no model affinity", has_affinity=False),
    Policy(name="on-demand only", uses_spot=False),
)
# Messages per slot that a queue-driven fleet is set to: one starts a slot for each message, more let them wait.
MESSAGE_COUNTS = (1.0, 1.5, 2.0, 2.25, 2.5, 3.0, 4.0)


def by_messages(per_slot: float) -> Policy:
    """The usual queue-driven fleet: so many messages a slot, any work lost with its instance begun anew."""
    return Policy(
        name=f"message count, {per_slot:g} a slot",
        messages_per_slot=per_slot,
        resumes=False,
        has_affinity=False,
        moves=False,
    )


def production_limits(fleet: Fleet, *, uses_spot: bool = True) -> Limits:
    """The planner's limits for a simulated fleet: instances bind, money is what is measured."""
    allowed = fleet.max_instances
    spot = GroupLimits(
        max_instances=allowed if uses_spot else 0,
        vcpu_quota=allowed * fleet.vcpus,
        usd_per_hour=fleet.spot_usd or 0.0,
    )
    on_demand = GroupLimits(
        max_instances=fleet.max_on_demand if uses_spot else allowed,
        vcpu_quota=allowed * fleet.vcpus,
        usd_per_hour=fleet.on_demand_usd or 0.0,
    )
    return Limits(
        spot=spot,
        on_demand=on_demand,
        max_instances=allowed,
        vcpus_per_instance=fleet.vcpus,
        slots_per_instance=fleet.slots_per_instance,
        target_backlog_s=fleet.target_backlog_s,
        boot_s=fleet.boot_s,
        latency_target_s=fleet.latency_target_s,
    )


def _planned(situation: Situation, limits: Limits) -> Sizing:
    # Without a Spot group the planner is told that Spot is closed, and turns to the other at once.
    if not limits.spot.max_instances:
        situation = _without_spot(situation)
    made = plan(situation, limits)
    return Sizing(made.spot, made.on_demand, made.memory, made.retire)


def _without_spot(situation: Situation) -> Situation:
    return Situation(
        now_s=situation.now_s,
        backlog=situation.backlog,
        on_demand=situation.on_demand,
        memory=Memory(closed_until_s=math.inf),
    )


def _counted(situation: Situation, fleet: Fleet, per_instance: float) -> Sizing:
    messages = sum(entry.jobs for entry in situation.backlog) + len(situation.spot.busy_s)
    wanted = min(fleet.max_instances, math.ceil(messages / per_instance))
    return Sizing(max(situation.spot.instances, wanted), 0, situation.memory)
