"""What the limits leave to launch: every grant goes through here, so that no path around a limit exists."""

import math

from jobs.planner.situation import FailureKind, HoldCode, LaunchFailure, Limits, Market, Situation

_HOLD_OF_FAILURE = {
    FailureKind.CAPACITY: HoldCode.NO_CAPACITY,
    FailureKind.QUOTA: HoldCode.LAUNCH_QUOTA,
    FailureKind.CONFIGURATION: HoldCode.LAUNCH_CONFIGURATION,
}


class Room:
    """Desired capacities as they grow from what is there, and what held them back.

    A leaving instance is no capacity, but counts against every limit until it is gone."""

    def __init__(self, situation: Situation, limits: Limits) -> None:
        self._limits = limits
        self._month_left_usd = limits.max_usd_per_month - situation.month_usd
        self.desired: dict[Market, int] = {
            "spot": situation.spot.instances,
            "on_demand": situation.on_demand.instances,
        }
        self._leaving: dict[Market, int] = {"spot": situation.spot.leaving, "on_demand": situation.on_demand.leaving}
        # The month's limit holds whether or not anything waits: agents begin nothing new, and the API says so.
        self.holds: list[HoldCode] = [HoldCode.USD_PER_MONTH] if self._month_left_usd <= 0 else []

    @property
    def total(self) -> int:
        """Instances of both groups, granted ones included."""
        return sum(self.desired.values())

    @property
    def usd_per_hour(self) -> float:
        """What the fleet costs an hour once all of it runs, with what has not left yet."""
        own = self._limits
        return self._paid("spot") * own.spot.usd_per_hour + self._paid("on_demand") * own.on_demand.usd_per_hour

    @property
    def pays_for_what_is_there(self) -> bool:
        """Whether the month's rest lasts for the reserve: a job that is handed over must be begun again elsewhere."""
        return self._month_left_usd > self.usd_per_hour * self._reserve_h

    def take(self, market: Market, wanted: int) -> int:
        """Grant up to `wanted` more instances of a market; returns how many, and notes what held back the rest."""
        if wanted <= 0:
            return 0
        allowed = self._allowed(market)
        granted = min(wanted, *allowed.values())
        self.holds += [code for code, count in allowed.items() if count == granted and count < wanted]
        self.desired[market] += granted
        return granted

    def hold_for(self, failure: LaunchFailure | None) -> None:
        """Note that a market is not asked, and why."""
        self.holds.append(HoldCode.NO_CAPACITY if failure is None else _HOLD_OF_FAILURE[failure.kind])

    def _allowed(self, market: Market) -> dict[HoldCode, int]:
        """How many more instances each limit admits."""
        limits = self._limits
        own = limits.spot if market == "spot" else limits.on_demand
        there = self._paid(market)
        in_all = self._paid("spot") + self._paid("on_demand")
        return {
            HoldCode.MAX_INSTANCES: max(0, min(own.max_instances - there, limits.max_instances - in_all)),
            HoldCode.VCPU_QUOTA: max(0, own.vcpu_quota // limits.vcpus_per_instance - there),
            HoldCode.USD_PER_HOUR: _affordable(limits.max_usd_per_hour - self.usd_per_hour, own.usd_per_hour),
            HoldCode.USD_PER_MONTH: self._by_month(own.usd_per_hour),
        }

    def _by_month(self, usd_per_hour: float) -> int:
        """The month's rest must pay the whole fleet, new instances included, for the reserve."""
        if self._month_left_usd <= 0:
            return 0
        left_usd = self._month_left_usd - self.usd_per_hour * self._reserve_h
        return _affordable(left_usd, usd_per_hour * self._reserve_h)

    @property
    def _reserve_h(self) -> float:
        return self._limits.launch_reserve_s / 3600.0

    def _paid(self, market: Market) -> int:
        """Instances of a market that are paid for: there, granted or leaving."""
        return self.desired[market] + self._leaving[market]


def _affordable(left_usd: float, each_usd: float) -> int:
    if left_usd < 0:
        return 0
    if each_usd <= 0 or math.isinf(left_usd):
        return 1_000_000  # no price is known: this limit cannot bind
    return math.floor(left_usd / each_usd + 1e-9)
