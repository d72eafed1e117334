"""The pure planner: backlog in slot-seconds, limits and money in, desired capacity of each group out.

from jobs.planner import GroupLimits, Limits, Situation, plan
"""

from jobs.planner.failures import classify, latest_failure
from jobs.planner.ledger import Ledger, advance
from jobs.planner.meter import Meter, Sighting, advance_meter
from jobs.planner.plan import plan
from jobs.planner.situation import (
    Backlog,
    FailureKind,
    GroupLimits,
    GroupState,
    HoldCode,
    LaunchFailure,
    Limits,
    Market,
    Member,
    Memory,
    Plan,
    Situation,
)
from jobs.planner.slots import Aim, more_slots, target_s
from jobs.planner.warm import WarmWindow, warm_minimum

__all__ = [
    "Aim",
    "Backlog",
    "FailureKind",
    "GroupLimits",
    "GroupState",
    "HoldCode",
    "LaunchFailure",
    "Ledger",
    "Limits",
    "Market",
    "Member",
    "Memory",
    "Meter",
    "Plan",
    "Sighting",
    "Situation",
    "WarmWindow",
    "advance",
    "advance_meter",
    "classify",
    "latest_failure",
    "more_slots",
    "plan",
    "target_s",
    "warm_minimum",
]
