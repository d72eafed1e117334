"""How many more slots the backlog needs, in slot-seconds."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

from jobs.planner.situation import Backlog


class Aim(NamedTuple):
    """How soon work should be done: `latency_target_s` after its request, but a slot always has `least_s` of it."""

    least_s: float
    latency_target_s: float
    boot_s: float


def target_s(entry: Backlog, aim: Aim) -> float:
    """Within how many seconds the entry's jobs should all have begun, or done their share of `least_s`.

    A job of a quarter of an hour can wait for long and still be in time, one of an hour cannot: what is left of the
    latency target after boot, loading and the job itself is time in which it may wait for a slot that is there. Each
    level of priority halves it."""
    slack_s = aim.latency_target_s - aim.boot_s - entry.load_s - entry.work_s / max(1, entry.jobs)
    return float(max(aim.least_s, slack_s) * 2.0**-entry.priority)


def more_slots(backlog: Sequence[Backlog], ready_in_s: Sequence[float], *, loaded: Sequence[str] = (), aim: Aim) -> int:
    """Slots to add to those that are there or booting, which are free in `ready_in_s` each.

    The demand bound of earliest-deadline-first: for each target, the work that is due by then must fit into the
    slot-seconds until then. A slot that boots counts as one that is free, for it was started for
    the same work: so asking twice does not launch twice. Never more slots than jobs that would not start sooner on a
    slot that is there."""
    needed, work_s, jobs = 0, 0.0, 0
    warm, ready = Counter(loaded), _Ready(ready_in_s)
    free_soon = ready.by(aim.boot_s)
    for target, entry in sorted(((target_s(entry, aim), entry) for entry in backlog), key=itemgetter(0)):
        work_s += entry.work_s + _loading_s(entry, warm, target)
        jobs += entry.jobs
        short = math.ceil(max(0.0, work_s - ready.slot_seconds_by(target)) / target)
        if jobs and not ready_in_s:
            short = max(short, 1)
        needed = max(needed, min(short, max(0, jobs - free_soon)))
    return needed


class _Ready:
    """When slots are free, asked often: sorted once."""

    def __init__(self, ready_in_s: Sequence[float]) -> None:
        self._sorted = sorted(ready_in_s)
        self._sums = [0.0, *accumulate(self._sorted)]

    def by(self, time_s: float) -> int:
        """Slots that are free by then."""
        return bisect_right(self._sorted, time_s)

    def slot_seconds_by(self, time_s: float) -> float:
        """Slot-seconds that are free until then, over all slots."""
        count = self.by(time_s)
        return count * time_s - self._sums[count]


def _loading_s(entry: Backlog, warm: Mapping[str, int], target: float) -> float:
    """Seconds of loading: once for each slot that will serve the model and has not got it."""
    serving = min(entry.jobs, math.ceil(entry.work_s / target))
    return entry.load_s * max(0, serving - warm.get(entry.model, 0))
