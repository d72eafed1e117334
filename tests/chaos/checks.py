"""What must hold after a chaos run, seen from outside: events on the bus, table, its stream, bucket and queues."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from gpu_agent.imds import NoticeKind
from jobs.events import EventType
from jobs.job import Job
from jobs.states import State
from jobs.waiting import LOST_TO_CAPACITY, ON_DEMAND_AFTER_LOSSES
from tests.chaos.inject import LEASE_S
from tests.chaos.ledger import Change, changed_after_end, events_of
from tests.chaos.machines import SPOT
from tests.chaos.reference import MODEL, digest_of
from tests.chaos.world.emulator import LocalAws
from tests.chaos.world.subscriber import Subscriber

LOST_WORK_BOUND_S = 10.0  # checkpoints come with every step here; what is left is one upload under failing calls
STEPS_LOST_BY_NOTICE = 1
PATIENCE_S = 900.0  # gpu_agent.settings: on_demand_patience_s
COST_ROUNDING_USD = 1e-4


@dataclass(kw_only=True)
class Findings:
    """`breaches` must be empty; `figures` go into the table."""

    breaches: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def hold(self, condition: bool, breach: str) -> None:
        if not condition:
            self.breaches.append(breach)


def examine(
    aws: LocalAws,
    jobs: list[Job],
    history: dict[str, list[Change]],
    references: Mapping[int, str],
    subscriber: Subscriber,
) -> Findings:
    """`references` maps a request's seed to the digest of its undisturbed video."""
    findings = Findings()
    for job in jobs:
        _ended_once(job, history.get(job.id, []), findings)
        _told_once(job, subscriber, findings)
        _same_video(aws, job, references, findings)
        _steps_lost(job, findings)
        _costs(job, findings)
        _on_demand_after_losses(job, findings)
        _no_write_lost(job, history.get(job.id, []), findings)
        _lease_renewed(job, history.get(job.id, []), findings)
    findings.figures |= {f"jobs by {door}": number for door, number in Counter(job.source.door for job in jobs).items()}
    left = aws.queues().depth(MODEL).total
    findings.hold(left == 0, f"{left} messages are left in the queue")
    outcomes = [attempt.outcome for job in jobs for attempt in job.attempts]
    for outcome in ("completed", "interrupted", "lost", "crashed"):
        findings.figures[f"attempts {outcome}"] = outcomes.count(outcome)
    resumed = [attempt for job in jobs for attempt in job.attempts if attempt.resumed_from_step]
    findings.figures["attempts resumed from a checkpoint"] = len(resumed)
    return findings


def _ended_once(job: Job, history: list[Change], findings: Findings) -> None:
    reason = f" ({job.error.message})" if job.error else ""
    findings.hold(job.status is State.COMPLETED, f"{job.id} is {job.status}{reason}")
    completions = [event.event_id for event in events_of(history) if event.type is EventType.COMPLETED]
    findings.hold(len(completions) == 1, f"{job.id} was completed {len(completions)} times: {completions}")
    findings.hold(not changed_after_end(history), f"{job.id} was written to after its end")
    findings.hold(
        job.step == job.total_steps == job.request.num_inference_steps,
        f"{job.id} tells {job.step} of {job.total_steps} steps, and was asked for {job.request.num_inference_steps}",
    )


def _told_once(job: Job, subscriber: Subscriber, findings: Findings) -> None:
    told = subscriber.completions(job.id)
    findings.hold(len(told) == 1, f"{job.id} had {len(told)} completion events on the bus: {told}")


def _same_video(aws: LocalAws, job: Job, references: Mapping[int, str], findings: Findings) -> None:
    if job.outputs is None:
        return
    attempt = job.attempts[-1].number
    findings.hold(f"/{attempt}/" in job.outputs.video, f"{job.id} shows another attempt's video: {job.outputs.video}")
    body = aws.client("s3").get_object(Bucket=aws.bucket, Key=job.outputs.video)["Body"].read()
    same = digest_of(body) == references[job.request.seed]
    findings.hold(same, f"{job.id} differs from the undisturbed video after {len(job.attempts)} attempts")


def _steps_lost(job: Job, findings: Findings) -> None:
    step_s = job.seconds_by_phase.get("denoise", 0.0) / job.request.num_inference_steps
    for before, after in zip(job.attempts, job.attempts[1:], strict=False):
        lost = max(0, before.last_step - after.resumed_from_step)
        by_notice = before.outcome == "interrupted" and before.reason in tuple(NoticeKind)
        name = f"most steps lost, {'notice' if by_notice else before.outcome}"
        findings.figures[name] = max(findings.figures.get(name, 0), lost)
        if by_notice:
            findings.hold(lost <= STEPS_LOST_BY_NOTICE, f"{job.id} lost {lost} steps by a notice")
        elif after.resumed_from_step:
            bound = f"{job.id} lost {lost} steps, {lost * step_s:.1f} s, by a kill"
            findings.hold(lost * step_s <= LOST_WORK_BOUND_S, bound)


def _costs(job: Job, findings: Findings) -> None:
    """Every attempt has its price, the lost ones too, and the job what they came to together."""
    costs = [attempt.cost_usd for attempt in job.attempts]
    known = [cost for cost in costs if cost is not None]
    findings.hold(len(known) == len(costs), f"{job.id} has attempts without a cost: {costs}")
    told = job.cost_usd or 0.0
    findings.hold(abs(sum(known) - told) < COST_ROUNDING_USD, f"{job.id} cost {told}, its attempts {costs}")


def _on_demand_after_losses(job: Job, findings: Findings) -> None:
    """A job that capacity failed twice is not given to Spot again, unless it has waited in vain for other capacity."""
    losses, free_s = 0, job.created_at
    for attempt in job.attempts:
        patient = attempt.started_at - free_s < PATIENCE_S
        wrongly = losses >= ON_DEMAND_AFTER_LOSSES and SPOT in attempt.instance_id and patient
        findings.hold(not wrongly, f"{job.id} ran on Spot again after {losses} losses")
        losses += attempt.outcome in LOST_TO_CAPACITY
        free_s = attempt.ended_at or attempt.started_at


def _no_write_lost(job: Job, history: list[Change], findings: Findings) -> None:
    """Every write follows the one that it had read: one that does not has wiped out another's."""
    versions = [(change.old.revision, change.new.revision) for change in history if change.old and change.new]
    lost = [(old, new) for old, new in versions if new != old + 1]
    findings.hold(not lost, f"{job.id} was overwritten by who had not read it (revisions {lost})")


def _lease_renewed(job: Job, history: list[Change], findings: Findings) -> None:
    """An attempt that outlasts a lease renews it; else whoever gets the message twice takes living work away."""
    last = job.attempts[-1]
    leases = [
        change.new.lease_expires_at
        for change in history
        if change.new and change.new.attempt == last.number and change.new.lease_expires_at
    ]
    outlasted = (last.ended_at or last.started_at) - last.started_at > LEASE_S
    findings.hold(not outlasted or len(set(leases)) > 1, f"{job.id} was made without renewing its lease")
