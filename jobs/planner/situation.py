"""What the planner decides from, as values: backlog, slots, groups, limits, money, and what it remembers."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Market = Literal["spot", "on_demand"]


class FailureKind(StrEnum):
    """Why a launch failed, by what can be done about it."""

    CAPACITY = "capacity"  # AWS has none to give: wait, or go on demand
    QUOTA = "quota"  # the account may not have more: file a quota request
    CONFIGURATION = "configuration"  # every launch will fail alike: mend the launch template


@dataclass(frozen=True, kw_only=True)
class LaunchFailure:
    """One failed launch of a group. `message` is AWS's own."""

    kind: FailureKind
    at_s: float
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """The queued jobs of one model and priority (0 normal, 1 high, -1 low).

    `work_s` is their predicted compute on one slot, `load_s` what a slot takes to load the model. `patience_is_over`:
    jobs marked for on-demand have waited for it so long that a Spot instance may run them by the time it has booted."""

    model: str
    jobs: int
    work_s: float
    load_s: float = 0.0
    priority: int = 0
    on_demand_only: bool = False
    patience_is_over: bool = False


@dataclass(frozen=True, kw_only=True)
class Member:
    """One instance that takes work: its type, the seconds that each busy slot still needs, and how many slots idle."""

    id: str
    kind: str
    busy_s: tuple[float, ...] = ()
    idle_slots: int = 0


@dataclass(frozen=True, kw_only=True)
class GroupState:
    """An Auto Scaling group as it is.

    `instances` are there or booting; `busy_s` has, for each slot that works, the predicted seconds it still needs.
    `desired` above `instances` is what AWS has not delivered yet. `leaving` are on their way out: they take no work,
    but fill the quota and are paid for until they are gone. `members` are those whose agents take work."""

    desired: int = 0
    instances: int = 0
    leaving: int = 0
    busy_s: tuple[float, ...] = ()
    loaded: tuple[str, ...] = ()
    failure: LaunchFailure | None = None
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GroupLimits:
    """What a group may have. `max_instances` 0: there is no such group. `usd_per_hour` is one instance's price."""

    max_instances: int
    vcpu_quota: int
    usd_per_hour: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The operator's limits and aims.

    `latency_target_s` is the time from a request to its video that launches aim at (0: as soon as may be), and
    `target_backlog_s` the queued work, in seconds, that a slot should have before another is started, whatever the aim;
    jobs of high priority get half of either, of low priority twice. `launch_reserve_s` is how long an instance must be
    affordable to be launched at all. `move_least_s` is the work that must be left on an instance for its jobs to move.
    """

    spot: GroupLimits
    on_demand: GroupLimits
    max_instances: int
    vcpus_per_instance: int
    slots_per_instance: int
    target_backlog_s: float
    boot_s: float
    latency_target_s: float = 0.0
    max_usd_per_hour: float = float("inf")
    max_usd_per_month: float = float("inf")
    launch_reserve_s: float = 3600.0
    starve_after_s: float = 600.0
    retry_spot_after_s: float = 1800.0
    retry_launch_after_s: float = 900.0
    move_least_s: float = 600.0


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What one run of the planner tells the next. `unmet_since_s`: since when Spot has delivered nothing more though
    asked; `closed_until_s`: until when Spot is not asked at all."""

    unmet_since_s: float | None = None
    spot_instances: int = 0
    closed_until_s: float = 0.0

    def spot_serves(self, at_s: float) -> bool:
        """Whether on-demand should leave ordinary work to Spot: it may be asked, and has instances, if only booting.

        That Spot may be asked again does not mean that it delivers: until it does, on-demand goes on."""
        return self.closed_until_s <= at_s and self.spot_instances > 0


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All of it, at `now_s` (unix seconds). `month_usd` is what this calendar month has cost so far."""

    now_s: float
    backlog: tuple[Backlog, ...] = ()
    spot: GroupState = field(default_factory=GroupState)
    on_demand: GroupState = field(default_factory=GroupState)
    warm_minimum: int = 0
    month_usd: float = 0.0
    memory: Memory = field(default_factory=Memory)


class HoldCode(StrEnum):
    """What kept the planner from launching all that the backlog asks for."""

    MAX_INSTANCES = "max_instances"
    VCPU_QUOTA = "vcpu_quota"
    USD_PER_HOUR = "max_usd_per_hour"
    USD_PER_MONTH = "max_usd_per_month"
    NO_CAPACITY = "no_capacity"
    LAUNCH_QUOTA = "launch_quota"
    LAUNCH_CONFIGURATION = "launch_configuration"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Desired capacity of each group, the Spot group's floor, what held it back, and what to remember.

    `retire` is the instance whose agent should hand its jobs over and leave: they fit into slots elsewhere."""

    spot: int
    on_demand: int
    spot_minimum: int
    holds: tuple[HoldCode, ...]
    memory: Memory
    retire: str | None = None

    @property
    def spending_stopped(self) -> bool:
        """The month's limit is reached: nothing is launched any more."""
        return HoldCode.USD_PER_MONTH in self.holds
