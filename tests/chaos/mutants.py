"""Agents with one safeguard taken out, to show that the chaos run would notice: `python -m tests.chaos.mutants`.

The worker processes import this module again (multiprocessing's spawn), so the defect is in them, too.
"""

import os
from collections.abc import Callable

import gpu_agent.__main__ as agent
from gpu_agent.lease import Lease
from jobs import items, transitions
from jobs.job import Job
from jobs.store import JobStore


def without_fence() -> None:
    """Any attempt may write."""
    transitions._guard = lambda job, attempt: None


def without_heartbeat() -> None:
    """Leases are never renewed."""
    Lease._run = lambda self: None  # type: ignore[method-assign]


def without_conditional_publish() -> None:
    """The write that completes a job is unconditional."""
    conditional = JobStore._replace

    def replace(self: JobStore, old: Job, new: Job, item: items.Item) -> bool:
        if new.status != "completed":
            return conditional(self, old, new, item)
        self.client.put_item(TableName=self.table, Item=items.job_to_item(new, over=item))
        return True

    JobStore._replace = replace  # type: ignore[method-assign]


def without_scheduler_state() -> None:
    """A checkpoint is resumed without the scheduler's history."""
    from models.common import scheduler_state

    scheduler_state.restore = lambda scheduler, attributes, tensors, device: None


MUTANTS: dict[str, Callable[[], None]] = {
    "fence": without_fence,
    "heartbeat": without_heartbeat,
    "conditional-publish": without_conditional_publish,
    "scheduler-state": without_scheduler_state,
}

if __name__ in {"__main__", "__mp_main__"}:
    MUTANTS[os.environ["CHAOS_MUTANT"]]()

if __name__ == "__main__":
    os._exit(agent.main())
