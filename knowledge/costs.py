"""The arithmetic of money: pure functions of seconds, prices and volumes.

What a video costs is the price of an instance-hour divided by the videos that hour yields. ``busy_share`` is the part
of billed time spent generating, ``lost_share`` the part of the work lost to interruptions, both 0 to 1.
"""

import math
from dataclasses import dataclass

SECONDS_AN_HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class Running:
    """How well the paid hours are used, and what is paid beside them."""

    busy_share: float
    lost_share: float
    variable_usd: float
    fixed_usd_month: float
    hours_a_month: float

    def __post_init__(self) -> None:
        if not (0 < self.busy_share <= 1 and 0 <= self.lost_share < 1):
            raise ValueError(f"busy_share {self.busy_share} and lost_share {self.lost_share} are shares of one")


@dataclass(frozen=True, kw_only=True)
class UnitCost:
    """One video on one instance type. ``ideal`` supposes every billed second is spent generating."""

    ideal_videos_h: float
    ideal_usd: float
    videos_h: float
    usd: float


def ideal_videos_an_hour(seconds_a_video: float, slots: int) -> float:
    """Videos an instance with ``slots`` workers makes in an hour that is spent on nothing else."""
    if seconds_a_video <= 0 or slots <= 0:
        raise ValueError(f"{seconds_a_video} s on {slots} slots: both must be positive")
    return slots * SECONDS_AN_HOUR / seconds_a_video


def unit_cost(*, seconds_a_video: float, slots: int, price_usd_h: float, running: Running) -> UnitCost:
    """Cost of one video, US$, with and without the time an instance is paid for but does not generate."""
    ideal = ideal_videos_an_hour(seconds_a_video, slots)
    real = ideal * running.busy_share * (1 - running.lost_share)
    return UnitCost(
        ideal_videos_h=ideal,
        ideal_usd=price_usd_h / ideal,
        videos_h=real,
        usd=price_usd_h / real + running.variable_usd,
    )


def instances_needed(volume_a_month: int, videos_h: float, hours_a_month: float) -> int:
    """Instances that run all month to make ``volume_a_month`` videos evenly spread; at least one."""
    return max(1, math.ceil(volume_a_month / (videos_h * hours_a_month)))


def break_even_a_month(*, service_usd: float, own_usd: float, fixed_usd_month: float) -> float | None:
    """Videos a month from which one's own system is cheaper than ``service_usd`` a video; None if it never is."""
    gain = service_usd - own_usd
    return fixed_usd_month / gain if gain > 0 else None


def monthly_usd(volume_a_month: int, usd: float, fixed_usd_month: float) -> float:
    """What a month of ``volume_a_month`` videos costs, US$."""
    return volume_a_month * usd + fixed_usd_month


@dataclass(frozen=True, kw_only=True)
class Return:
    """A month of selling videos, US$. ``roi`` is profit over cost."""

    revenue_usd: float
    cost_usd: float
    profit_usd: float
    margin: float
    roi: float


def monthly_return(*, volume: int, sale_usd: float, usd: float, takes: float, fixed_usd_month: float) -> Return:
    """A month in which ``volume`` videos are delivered, each after ``takes`` generations costing ``usd``."""
    revenue = volume * sale_usd
    cost = monthly_usd(volume, usd * takes, fixed_usd_month)
    profit = revenue - cost
    return Return(revenue_usd=revenue, cost_usd=cost, profit_usd=profit, margin=profit / revenue, roi=profit / cost)
