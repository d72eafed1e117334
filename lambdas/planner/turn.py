"""Whether a run is worth it: jobs that come one after the other wake the planner no more often than it can learn of."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from jobs import clock
from jobs.fleet_plan import PlanStore

SPACING_S = 5.0  # between the beginnings of two runs that were woken; a boot takes minutes
INDEX_LAG_S = 2.0  # the index that a run reads is an instant behind the table


def is_needed(event: Mapping[str, Any], plans: PlanStore, *, sleep: Callable[[float], None] = time.sleep) -> bool:
    """True for the minute's tick. A wake waits until SPACING_S after the last run's beginning, while others that come
    gather in the queue; it is not needed if a run has begun meanwhile that saw what it was to tell."""
    sent_s = _newest_wake_s(event)
    last = plans.get() if sent_s is not None else None
    if sent_s is None or last is None:
        return True
    pause_s = last.at + SPACING_S - clock.now()
    if pause_s > 0:
        sleep(min(pause_s, SPACING_S))
        last = plans.get() or last
    return last.at < sent_s + INDEX_LAG_S


def _newest_wake_s(event: Mapping[str, Any]) -> float | None:
    """When SQS got the newest message of a batch; None where the event is no batch."""
    sent = [int(record["attributes"]["SentTimestamp"]) / 1000.0 for record in event.get("Records", [])]
    return max(sent, default=None)
