"""When an instance leaves the fleet of its own accord: a pure decision."""

from dataclasses import dataclass
from enum import StrEnum


class IdleAction(StrEnum):
    STAY = "stay"
    LEAVE = "leave"


@dataclass(frozen=True, kw_only=True)
class InstanceWork:
    """What the instance has to do.

    `in_hand` counts jobs claimed, reserved, running, encoding or uploading; `idle_s` is the time since it was last
    above zero. `working_slots` counts slots that are not isolated: an instance without one can do nothing and leaves
    when its hands are empty.
    """

    in_hand: int
    idle_s: float
    working_slots: int
    cordoned: bool = False


def decide(work: InstanceWork, *, idle_limit_s: float) -> IdleAction:
    """LEAVE only with empty hands, and then when idle for long enough, told to go, or unable to work."""
    if work.in_hand > 0:
        return IdleAction.STAY
    if work.cordoned or work.working_slots == 0 or work.idle_s >= idle_limit_s:
        return IdleAction.LEAVE
    return IdleAction.STAY
