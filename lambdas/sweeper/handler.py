"""Each minute: what nobody else would notice. Lost agents' jobs, lost messages, passed deadlines, accounts not settled,
instances without an agent, files without a job. Each thing done is logged, and counted in the metric `Swept`."""

from collections import defaultdict
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs import clock
from jobs.errors import JobNotFound
from jobs.job import Job
from jobs.open_charges import OpenCharge
from jobs.states import State, is_terminal
from jobs.sweeping import Policy, expiry_error, lost, to_resend
from lambdas import services
from lambdas.sweeper.files import sweep
from lambdas.sweeper.instances import end_silent

logger = Logger()
STREAM_GRACE_S = 300.0


class SweeperSettings(BaseSettings):
    """The sweeper's own variables."""

    model_config = SettingsConfigDict(env_prefix="REVALIDA_", frozen=True)

    resend_after_s: float
    max_wait_s: float
    upload_retention_s: float


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Returns counts of what was done."""
    own = SweeperSettings()
    policy = Policy(resend_after_s=own.resend_after_s, max_wait_s=own.max_wait_s)
    now = clock.now()
    charges = list(services.usage().open_charges())  # first: whose job is in neither list then has ended
    running = list(services.store().in_state(State.IN_PROGRESS))
    counts = {"reaped": _reap(lost(running, now=now))}
    queued = list(services.store().in_state(State.QUEUED))
    counts["expired"] = _expire(queued, policy, now)
    counts["resent"] = _resend(queued, running, policy, now)
    alive = {job.id for job in (*queued, *running)}
    counts["settled"] = sum(_settle(charge, now) for charge in charges if charge.job_id not in alive)
    counts["silent_ended"] = end_silent(now=now)
    counts |= sweep(upload_lifetime_s=own.upload_retention_s, now=now)
    counts["characters"] = len(services.character_folders().take_quiet(now))
    logger.info("swept", extra=counts)
    _tell(counts)
    return counts


def _tell(counts: dict[str, int]) -> None:
    for what, count in counts.items():
        if count:
            with single_metric(name="Swept", unit=MetricUnit.Count, value=count, namespace="Revalida") as metric:
                metric.add_dimension(name="service", value="sweeper")
                metric.add_dimension(name="what", value=what)


def _reap(jobs: list[Job]) -> int:
    reaped = 0
    for job in jobs:
        try:
            after = services.store().reap(job.id)
        except JobNotFound:  # deleted since the index was read
            continue
        reaped += after.attempts[-1].outcome == "lost"
        if after.status is State.QUEUED:
            services.queues().send(after)
    return reaped


def _expire(queued: list[Job], policy: Policy, now: float) -> int:
    expired = 0
    for job in queued:
        error = expiry_error(job, policy, now=now)
        if error is None:
            continue
        try:
            expired += services.store().fail_waiting(job.id, error).status is State.FAILED
        except JobNotFound:
            continue
    return expired


def _resend(queued: list[Job], running: list[Job], policy: Policy, now: float) -> int:
    waiting: dict[str, list[Job]] = defaultdict(list)
    for job in queued:
        if expiry_error(job, policy, now=now) is None:
            waiting[job.model].append(job)
    resent = 0
    for model, jobs in waiting.items():
        messages = services.queues().depth(model).total
        at_work = sum(job.model == model for job in running)
        for job in to_resend(jobs, running=at_work, messages=messages, policy=policy, now=now):
            resent += _send_again(job)
    return resent


def _settle(charge: OpenCharge, now: float) -> bool:
    """Book what the stream did not tell of: usually it has, a second after the end."""
    try:
        job = services.store().get(charge.job_id)
    except JobNotFound:
        return services.usage().settle_gone(charge)
    except ValidationError:
        return False  # another release has written it, and can read what it is to cost
    return is_terminal(job.status) and now - job.updated_at >= STREAM_GRACE_S and services.usage().settle(job)


def _send_again(job: Job) -> bool:
    try:
        services.queues().send(job)
        services.store().sent(job.id)
    except JobNotFound:  # deleted meanwhile; whoever receives the message deletes it
        return False
    return True
