"""The job table in the planner's words: backlog by model and priority, and what the running slots still need."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from jobs.eta import remaining_s, work_left_s
from jobs.fleet import Instance
from jobs.job import Job
from jobs.planner import Backlog, Member
from jobs.waiting import PRIORITY_LEVELS, patience_is_over, wants_on_demand
from models.estimate import BOOT_S

FRESH_S = 60.0  # agents report every ten seconds: one that has not for so long may be gone
_TAKE_WORK = frozenset({"idle", "busy"})


def backlog(queued: Iterable[Job], *, now_s: float) -> tuple[Backlog, ...]:
    """Queued jobs, added up. A job that was begun needs only the steps after its checkpoint. Those that on-demand has
    kept waiting stand apart: Spot may run them, too, once it has booted."""
    grouped: dict[tuple[str, int, bool, bool], list[Job]] = defaultdict(list)
    for job in queued:
        priority, is_late = PRIORITY_LEVELS[job.request.priority], patience_is_over(job, now_s + BOOT_S)
        grouped[job.model, priority, wants_on_demand(job), is_late].append(job)
    return tuple(
        Backlog(
            model=model,
            priority=priority,
            on_demand_only=on_demand_only,
            patience_is_over=is_late,
            jobs=len(jobs),
            work_s=sum(work_left_s(job) for job in jobs),
            load_s=max((job.estimate.load_s for job in jobs if job.estimate), default=0.0),
        )
        for (model, priority, on_demand_only, is_late), jobs in sorted(grouped.items())
    )


def busy_s(running: Iterable[Job], instances: Collection[str], *, now_s: float) -> tuple[float, ...]:
    """Seconds that each job running on one of `instances` still needs; nothing where nothing was predicted."""
    mine = [job for job in running if job.attempts and job.attempts[-1].instance_id in instances]
    return tuple(remaining_s(job, now_s) or 0.0 for job in mine)


def loaded(fleet: Iterable[Instance], instances: Collection[str]) -> tuple[str, ...]:
    """The models that the slots of `instances` have in memory."""
    slots = (slot for instance in fleet if instance.id in instances for slot in instance.slots)
    return tuple(slot.loaded_model for slot in slots if slot.loaded_model)


def members(
    fleet: Iterable[Instance], running: Iterable[Job], instances: Collection[str], *, now_s: float
) -> tuple[Member, ...]:
    """Those of `instances` whose agents were heard of lately and take work, with what each has to do."""
    mine = [one for one in fleet if one.id in instances and one.state in _TAKE_WORK and now_s - one.seen_at <= FRESH_S]
    left_s: dict[str, list[float]] = defaultdict(list)
    for job in running:
        if job.attempts:
            left_s[job.attempts[-1].instance_id].append(remaining_s(job, now_s) or 0.0)
    return tuple(
        Member(
            id=one.id,
            kind=one.kind,
            busy_s=tuple(left_s[one.id]),
            idle_slots=max(0, len(one.slots) - len(left_s[one.id])),
        )
        for one in mine
    )
