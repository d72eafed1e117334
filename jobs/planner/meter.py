"""What one instance has cost this month, and in what: booting, working, idling. Added up from run to run of the
planner, so that an instance whose agent never came is metered, too."""

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from jobs.planner.ledger import month_of
from jobs.planner.situation import Market

# Silence that the planner itself has not watched does not count: it may have been away.
WATCHED_GAP_S = 120.0


class Sighting(NamedTuple):
    """An instance as a run of the planner sees it. `slots` is 0 where no agent tells of any."""

    instance_id: str
    kind: str
    market: Market
    usd_per_hour: float
    slots: int = 0
    busy: int = 0


class Meter(BaseModel):
    """One instance in one month (`2026-11`, UTC). Seconds are the instance's: a slot in four that works for an hour is
    `busy_s` 900. `silent_s` is how long there has been no agent, now; the times `_at` are unix seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance_id: str
    kind: str
    market: Market
    month: str
    first_at: float
    seen_at: float
    agent_at: float | None = None
    usd: float = 0.0
    boot_s: float = 0.0
    busy_s: float = 0.0
    idle_s: float = 0.0
    silent_s: float = 0.0

    @property
    def rented_s(self) -> float:
        return self.boot_s + self.busy_s + self.idle_s


def advance_meter(before: Meter | None, seen: Sighting, *, now_s: float) -> Meter:
    """The meter at `now_s`, the instance having been since the last run what it is now. A new month begins at zero."""
    month = month_of(now_s)
    if before is None or before.month != month:
        return Meter(
            instance_id=seen.instance_id,
            kind=seen.kind,
            market=seen.market,
            month=month,
            first_at=now_s,
            seen_at=now_s,
            agent_at=now_s if seen.slots else None,
        )
    past_s = max(0.0, now_s - before.seen_at)
    busy_s = past_s * seen.busy / seen.slots if seen.slots else 0.0
    booting = before.agent_at is None
    return before.model_copy(
        update={
            "seen_at": max(now_s, before.seen_at),
            "agent_at": now_s if seen.slots else before.agent_at,
            "usd": before.usd + seen.usd_per_hour * past_s / 3600.0,
            "boot_s": before.boot_s + (past_s if booting else 0.0),
            "busy_s": before.busy_s + (0.0 if booting else busy_s),
            "idle_s": before.idle_s + (0.0 if booting else past_s - busy_s),
            "silent_s": 0.0 if seen.slots else before.silent_s + min(past_s, WATCHED_GAP_S),
        }
    )
