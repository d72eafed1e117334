"""What must hold after a chaos run, seen from outside: the table, its stream, the bucket and the queue."""

import hashlib
from dataclasses import dataclass, field

from jobs.events import EventType
from jobs.job import Job
from jobs.states import State
from tests.chaos.ledger import Change, changed_after_end, events_of
from tests.chaos.world.emulator import LocalAws

LOST_WORK_BOUND_S = 10.0  # checkpoints come with every step here; what is left is one upload under failing calls
STEPS_LOST_BY_NOTICE = 1


@dataclass(kw_only=True)
class Findings:
    """`breaches` must be empty; `figures` go into the table."""

    breaches: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def hold(self, condition: bool, breach: str) -> None:
        if not condition:
            self.breaches.append(breach)


def examine(aws: LocalAws, jobs: list[Job], history: dict[str, list[Change]], references: dict[int, str]) -> Findings:
    """`references` maps a request's seed to the digest of its undisturbed video."""
    findings = Findings()
    for job in jobs:
        _ended_once(job, history.get(job.id, []), findings)
        _same_video(aws, job, references, findings)
        _steps_lost(job, findings)
    left = aws.queues().depth("wan-mini").total
    findings.hold(left == 0, f"{left} messages are left in the queue")
    outcomes = [attempt.outcome for job in jobs for attempt in job.attempts]
    for outcome in ("completed", "interrupted", "lost", "crashed"):
        findings.figures[f"attempts {outcome}"] = outcomes.count(outcome)
    resumed = [attempt for job in jobs for attempt in job.attempts if attempt.resumed_from_step]
    findings.figures["attempts resumed from a checkpoint"] = len(resumed)
    return findings


def digest_of(aws: LocalAws, job: Job) -> str:
    """SHA-256 of the finished video file."""
    assert job.outputs is not None
    body = aws.client("s3").get_object(Bucket=aws.bucket, Key=job.outputs.video)["Body"].read()
    return hashlib.sha256(body).hexdigest()


def _ended_once(job: Job, history: list[Change], findings: Findings) -> None:
    reason = f" ({job.error.message})" if job.error else ""
    findings.hold(job.status is State.COMPLETED, f"{job.id} is {job.status}{reason}")
    completions = [event.event_id for event in events_of(history) if event.type is EventType.COMPLETED]
    findings.hold(len(completions) == 1, f"{job.id} has {len(completions)} completion events: {completions}")
    findings.hold(not changed_after_end(history), f"{job.id} was written to after its end")
    findings.hold(
        job.step == job.total_steps == job.request.num_inference_steps,
        f"{job.id} tells {job.step} of {job.total_steps} steps, and was asked for {job.request.num_inference_steps}",
    )


def _same_video(aws: LocalAws, job: Job, references: dict[int, str], findings: Findings) -> None:
    if job.outputs is None:
        return
    attempt = job.attempts[-1].number
    findings.hold(f"/{attempt}/" in job.outputs.video, f"{job.id} shows another attempt's video: {job.outputs.video}")
    same = digest_of(aws, job) == references[job.request.seed]
    findings.hold(same, f"{job.id} differs from the undisturbed video after {len(job.attempts)} attempts")


def _steps_lost(job: Job, findings: Findings) -> None:
    step_s = job.seconds_by_phase.get("denoise", 0.0) / job.request.num_inference_steps
    for before, after in zip(job.attempts, job.attempts[1:], strict=False):
        lost = max(0, before.last_step - after.resumed_from_step)
        name = "most steps lost by a notice" if before.outcome == "interrupted" else "most steps lost by a kill"
        findings.figures[name] = max(findings.figures.get(name, 0), lost)
        if before.outcome == "interrupted" and after.resumed_from_step:
            findings.hold(lost <= STEPS_LOST_BY_NOTICE, f"{job.id} lost {lost} steps by a notice")
        elif after.resumed_from_step:
            bound = f"{job.id} lost {lost} steps, {lost * step_s:.1f} s, by a kill"
            findings.hold(lost * step_s <= LOST_WORK_BOUND_S, bound)
