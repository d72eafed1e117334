"""How many more slots the backlog needs, in slot-seconds."""

import math
from collections.abc import Sequence

from jobs.planner.situation import Backlog


def target_s(priority: int, target_backlog_s: float) -> float:
    """Within how many seconds of a slot's time the work of a priority should be done: half of it for each level."""
    return float(target_backlog_s * 2.0**-priority)


def more_slots(
    backlog: Sequence[Backlog],
    ready_in_s: Sequence[float],
    *,
    loaded: Sequence[str] = (),
    target_backlog_s: float,
    boot_s: float,
) -> int:
    """Slots to add to those that are there or booting, which are free in `ready_in_s` each.

    The demand bound of earliest-deadline-first: for each priority, the work of it and of all more urgent ones must
    fit into the slot-seconds until its target. A slot that boots counts as one that is free, for it was started for
    the same work: so asking twice does not launch twice. Never more slots than jobs that would not start sooner on a
    slot that is there."""
    needed, work_s, jobs = 0, 0.0, 0
    free_soon = sum(1 for ready in ready_in_s if ready <= boot_s)
    for level in sorted({entry.priority for entry in backlog}, reverse=True):
        target = target_s(level, target_backlog_s)
        for entry in (one for one in backlog if one.priority == level):
            work_s += entry.work_s + _loading_s(entry, loaded, target)
            jobs += entry.jobs
        available_s = sum(max(0.0, target - ready) for ready in ready_in_s)
        short = math.ceil(max(0.0, work_s - available_s) / target)
        if jobs and not ready_in_s:
            short = max(short, 1)
        needed = max(needed, min(short, max(0, jobs - free_soon)))
    return needed


def _loading_s(entry: Backlog, loaded: Sequence[str], target: float) -> float:
    """Seconds of loading: once for each slot that will serve the model and has not got it."""
    serving = min(entry.jobs, math.ceil(entry.work_s / target))
    return entry.load_s * max(0, serving - loaded.count(entry.model))
