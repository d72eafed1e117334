"""What a key may do and spend: limits, the month's account, and what a job comes to. All values, no I/O.

Money is counted in whole micro-dollars, so that sums never drift."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.job import Charge, Job
from jobs.states import State

MICRO = 1_000_000
RATE_WINDOW_S = 60

LimitName = Literal["requests_per_minute", "max_concurrent_jobs", "max_daily_jobs", "monthly_budget_usd"]


class Limits(BaseModel):
    """None is no limit. A day and a month are UTC's; the budget is in US$."""

    model_config = ConfigDict(defer_build=True, strict=True, extra="forbid", frozen=True)

    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_concurrent_jobs: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_daily_jobs: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    monthly_budget_usd: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None

    @property
    def bound_jobs(self) -> bool:
        """Whether anything has to be reserved when a job is accepted."""
        return any((self.max_concurrent_jobs, self.max_daily_jobs, self.monthly_budget_usd is not None))


class Usage(BaseModel):
    """A key's account: of the month in US$ (`reserved_usd` is for jobs not ended), and of jobs."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    month: str
    spent_usd: float
    reserved_usd: float
    active_jobs: int
    jobs_today: int


class LimitReached(Exception):
    """A key has reached one of its limits. The message has the numbers."""

    def __init__(self, limit: LimitName, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.limit = limit
        self.message = message
        self.retry_after_s = retry_after_s


def month_of(at: float) -> str:
    """`2026-11`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")


def day_of(at: float) -> str:
    """`2026-11-22`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def seconds_to_midnight(at: float) -> int:
    """Seconds until the next UTC day."""
    return 86_400 - int(at) % 86_400


def micro(usd: float | None) -> int:
    """Whole micro-dollars; an unknown price is none."""
    return 0 if usd is None else round(usd * MICRO)


def new_charge(key_id: str, limits: Limits, job: Job) -> Charge:
    """What a new job will be accounted to. A job without a known price reserves nothing."""
    estimated = None if job.estimate is None else job.estimate.cost_usd
    reserved = micro(estimated) if limits.bound_jobs else 0
    return Charge(key_id=key_id, month=month_of(job.created_at), reserved_musd=reserved, bound=limits.bound_jobs)


def unreserved(charge: Charge, *, now: float) -> Charge:
    """What a redriven job will be accounted to: nothing is reserved anew, and no limit holds, because its failure gave
    back what was reserved, and an operator asks for it now."""
    return charge.model_copy(update={"month": month_of(now), "reserved_musd": 0, "bound": False})


def actual_musd(job: Job) -> int:
    """What an ended job comes to. A completed one costs what its agent measured, less what it had cost when it failed
    and was redriven, for a failed one is on the house; one that
    was cancelled pays the time that was worked on it, at the estimate's rate and up to the estimate."""
    if job.status is State.COMPLETED:
        return micro(job.cost_usd) - micro(job.redrive.cost_usd if job.redrive else None)
    estimate = job.estimate
    if job.status is not State.CANCELLED or estimate is None or not estimate.cost_usd or estimate.seconds <= 0:
        return 0
    worked_s = sum(
        (attempt.ended_at or job.updated_at) - attempt.started_at
        for attempt in job.attempts
        if attempt.outcome in {"running", "cancelled"}
    )
    return micro(min(1.0, max(0.0, worked_s / estimate.seconds)) * estimate.cost_usd)
