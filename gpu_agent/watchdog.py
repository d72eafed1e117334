"""Ends workers that hang: no message for far longer than any step, decode or load takes."""

from collections.abc import Iterable

from gpu_agent.logs import logger
from gpu_agent.metrics import count
from gpu_agent.slot import Slot


def watch(slots: Iterable[Slot], *, hang_limit_s: float) -> None:
    """One look at every slot; for a Loop."""
    for slot in slots:
        silent_s = slot.silent_s()
        if silent_s > hang_limit_s:
            logger.error("worker hangs", extra={"slot": slot.spec.name, "silent_s": silent_s})
            count("WorkerHung")
            slot.end_hung_worker()
