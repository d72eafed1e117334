"""The life of one slot's worker process as a state machine over values: restart, recycle, isolate.

The supervisor feeds it what happened and does what it answers; nothing here touches a process.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

ORDINARY_HOST_GIB = 64.0
HOST_GROWTH = 1.2  # over the planned memory: buffers of a job, and what an allocator does not give back


class WorkerEvent(StrEnum):
    READY = "ready"
    JOB_DONE = "job-done"
    CRASHED = "crashed"
    DEVICE_FAILED = "device-failed"
    DEVICE_BROKEN = "device-broken"
    RECYCLED = "recycled"


class SlotAction(StrEnum):
    KEEP = "keep"
    RESTART = "restart"
    RECYCLE = "recycle"
    ISOLATE = "isolate"


@dataclass(frozen=True, kw_only=True)
class SupervisionPolicy:
    """Bounds of the policy.

    `recycle_after_jobs` and `max_host_gib` bound the growth of a worker's host memory: long queues die of it. None:
    what the placement plans to keep there, and a part more, but never less than an ordinary worker may hold.
    `isolate_after` failures in a row without a finished job between them take the slot out of service; a
    device error (ECC, Xid) counts double, being rarely the job's fault. A GPU that only a reset could mend goes at
    once.
    """

    recycle_after_jobs: int = 50
    max_host_gib: float | None = None
    isolate_after: int = 4
    backoff_base_s: float = 1.0
    backoff_max_s: float = 60.0


@dataclass(frozen=True, kw_only=True)
class SlotHealth:
    """What is remembered of a slot from one worker process to the next."""

    jobs_by_worker: int = 0
    failures_in_row: int = 0
    restarts: int = 0
    isolated: bool = False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    health: SlotHealth
    action: SlotAction
    after_s: float = 0.0
    reason: str = ""


def observe(
    health: SlotHealth,
    event: WorkerEvent,
    policy: SupervisionPolicy,
    *,
    host_gib: float = 0.0,
    planned_host_gib: float = 0.0,
) -> Verdict:
    """The slot's health after `event`, and what the supervisor does about it.

    `host_gib` is the worker's resident memory, `planned_host_gib` what it was meant to keep; wanted with JOB_DONE. An
    isolated slot stays isolated.
    """
    if health.isolated:
        return Verdict(health=health, action=SlotAction.ISOLATE, reason="isolated before")
    if event is WorkerEvent.JOB_DONE:
        most_gib = policy.max_host_gib or max(ORDINARY_HOST_GIB, HOST_GROWTH * planned_host_gib)
        return _after_job(health, policy, host_gib, most_gib)
    if event is WorkerEvent.DEVICE_BROKEN:
        return Verdict(health=replace(health, isolated=True), action=SlotAction.ISOLATE, reason="its GPU is broken")
    if event in (WorkerEvent.CRASHED, WorkerEvent.DEVICE_FAILED):
        return _after_failure(health, policy, weight=2 if event is WorkerEvent.DEVICE_FAILED else 1)
    if event is WorkerEvent.RECYCLED:
        return Verdict(health=replace(health, jobs_by_worker=0), action=SlotAction.RESTART, reason="recycled")
    return Verdict(health=health, action=SlotAction.KEEP)


def _after_job(health: SlotHealth, policy: SupervisionPolicy, host_gib: float, most_gib: float) -> Verdict:
    done = replace(health, jobs_by_worker=health.jobs_by_worker + 1, failures_in_row=0)
    if host_gib > most_gib:
        reason = f"worker holds {host_gib:.1f} GiB of host memory, the limit is {most_gib:.1f}"
        return Verdict(health=done, action=SlotAction.RECYCLE, reason=reason)
    if done.jobs_by_worker >= policy.recycle_after_jobs:
        return Verdict(health=done, action=SlotAction.RECYCLE, reason=f"worker ran {done.jobs_by_worker} jobs")
    return Verdict(health=done, action=SlotAction.KEEP)


def _after_failure(health: SlotHealth, policy: SupervisionPolicy, *, weight: int) -> Verdict:
    failures = health.failures_in_row + weight
    failed = replace(health, failures_in_row=failures, jobs_by_worker=0)
    if failures >= policy.isolate_after:
        reason = f"{failures} failures in a row"
        return Verdict(health=replace(failed, isolated=True), action=SlotAction.ISOLATE, reason=reason)
    after_s = min(policy.backoff_max_s, policy.backoff_base_s * 2.0 ** (failures - 1))
    restarted = replace(failed, restarts=failed.restarts + 1)
    return Verdict(health=restarted, action=SlotAction.RESTART, after_s=after_s, reason="worker failed")
