"""Which waiting job a free slot runs next: a pure policy, the one that agents and the simulator call.

The fair order comes first: priority, then, on a slot that is not Spot, what Spot must not run, then the tenant with the
least in hand, then the job that must begin soonest to be in time, then the oldest. A long job must begin before a short
one that is due at the same time; so the long ones do not stand alone on half-empty instances in the end. Keeping the
loaded model is worth minutes of weight loading, so a job of that model may pass the head of the fair order, but only
one of the same priority, and only while the head has waited less than a bound. No job therefore waits longer than the
bound because of what happens to be loaded.

On-demand instances leave ordinary work to Spot, except what ends before the jobs that keep them anyway.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class WaitingJob:
    """What the policy knows about one queued job. Times are seconds on the caller's clock; `work_s` is predicted, and
    `load_s` beside it for a slot that has not got the model. `begun`: it waits to go on, no deadline holds any more."""

    job_id: str
    model: str
    owner: str
    queued_at_s: float
    priority: int = 0
    deadline_s: float | None = None
    begun: bool = False
    work_s: float = 0.0
    load_s: float = 0.0
    on_demand_only: bool = False


@dataclass(frozen=True, kw_only=True)
class SlotView:
    """The slot that asks. `models` are those it can run; `loaded` is the one in its memory. `leaves_to_spot`: it is of
    an on-demand instance while Spot has some, and should only run what Spot must not, and what ends within `kept_s`:
    so long the slots beside it keep the instance, and it is paid for whole."""

    models: frozenset[str]
    loaded: str | None = None
    is_spot: bool = True
    leaves_to_spot: bool = False
    kept_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TenantUse:
    """How much each owner has in hand over the whole fleet, and when each was last served."""

    running: Mapping[str, int] = field(default_factory=dict)
    last_served_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ChoicePolicy:
    """Bounds of the policy.

    `affinity_bound_s`: how long the head of the fair order may be passed over for the loaded model.
    `on_demand_patience_s`: how long a job marked for on-demand capacity waits for it before Spot may take it, so that
    it ends even where no on-demand capacity ever comes.
    `latency_target_s`: how soon after its request a video should be done; None sets no aim beside the job's deadline.
    `priority_ageing_s`: waiting this long is worth one level of priority, so that nothing starves.
    """

    affinity_bound_s: float = 300.0
    on_demand_patience_s: float = 900.0  # jobs.waiting: ON_DEMAND_PATIENCE_S; the choice imports nothing of ours
    priority_ageing_s: float = 3600.0
    latency_target_s: float | None = None


def choose(
    waiting: Iterable[WaitingJob], slot: SlotView, use: TenantUse, policy: ChoicePolicy, *, now_s: float
) -> WaitingJob | None:
    """The job that `slot` should run next, or None where nothing waits that it may run."""

    def level(job: WaitingJob) -> int:
        return job.priority + int(max(0.0, now_s - job.queued_at_s) // policy.priority_ageing_s)

    def fair_order(job: WaitingJob) -> tuple[int, bool, int, float, float, float, str]:
        return (
            -level(job),
            not (job.on_demand_only and not slot.is_spot),  # nobody else may run it
            use.running.get(job.owner, 0),
            use.last_served_s.get(job.owner, float("-inf")),
            start_by_s(job, policy),
            job.queued_at_s,
            job.job_id,
        )

    eligible = [job for job in waiting if may_run(job, slot, policy, now_s=now_s)]
    if not eligible:
        return None
    head = min(eligible, key=fair_order)
    if head.model == slot.loaded or now_s - head.queued_at_s >= policy.affinity_bound_s:
        return head
    warm = [job for job in eligible if job.model == slot.loaded and level(job) == level(head)]
    return min(warm, key=fair_order, default=head)


def start_by_s(job: WaitingJob, policy: ChoicePolicy) -> float:
    """When the job must begin to be done by its deadline and within the latency target, whichever is first."""
    due_s = float("inf") if job.deadline_s is None else job.deadline_s
    if policy.latency_target_s is not None:
        due_s = min(due_s, job.queued_at_s + policy.latency_target_s)
    return due_s - job.work_s


def may_run(job: WaitingJob, slot: SlotView, policy: ChoicePolicy, *, now_s: float) -> bool:
    """Whether the slot offers the job's model and is of a kind of capacity that the job may use now; not a job that was
    to begin before now."""
    if job.model not in slot.models:
        return False
    if job.deadline_s is not None and now_s >= job.deadline_s and not job.begun:
        return False
    if slot.leaves_to_spot and not job.on_demand_only and not _ends_while_kept(job, slot):
        return False
    waits_for_on_demand = now_s - job.queued_at_s < policy.on_demand_patience_s
    return not (job.on_demand_only and slot.is_spot and waits_for_on_demand)


def _ends_while_kept(job: WaitingJob, slot: SlotView) -> bool:
    """Whether the job prolongs nothing; not of one of which nothing was predicted."""
    load_s = 0.0 if job.model == slot.loaded else job.load_s
    return job.work_s > 0.0 and load_s + job.work_s <= slot.kept_s
