"""What each owner's videos of each model came to in a month: counters, added to once for each job that has ended."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from jobs import aws, clock, items
from jobs.backoff import pause
from jobs.errors import WriteContention
from jobs.job import Attempt, Job
from jobs.limits import MICRO, micro, month_of
from jobs.states import State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_RACES = 8
ONCE_LIFETIME_S = 30 * 24 * 3600  # the stream repeats within a day
_OUTCOMES = {State.COMPLETED: "completed", State.FAILED: "failed", State.CANCELLED: "cancelled"}


class Tally(BaseModel):
    """One owner's jobs of one model that ended in a month; a redriven one ends again. `usd` is the slots' time over all
    attempts; `lost_s` is the part of it that was done in vain, `video_s` the playing time of what came out."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    month: str
    owner: str
    model: str
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    usd: float = 0.0
    worked_s: float = 0.0
    load_s: float = 0.0
    lost_s: float = 0.0
    video_s: float = 0.0


def counters(job: Job) -> dict[str, int]:
    """What an ended job adds, in whole units: jobs, micro-dollars, milliseconds."""
    job = _since_redrive(job)
    worked_s = sum(_seconds(attempt) for attempt in job.attempts)
    return {
        _OUTCOMES[job.status]: 1,
        "musd": micro(job.cost_usd),
        "worked_ms": round(1000 * worked_s),
        "load_ms": round(1000 * job.seconds_by_phase.get("load", 0.0)),
        "lost_ms": round(1000 * lost_s(job)),
        "video_ms": round(1000 * job.outputs.seconds) if job.outputs else 0,
    }


def _since_redrive(job: Job) -> Job:
    """The job with those attempts and costs alone that its failure, which was tallied too, did not add already."""
    if job.redrive is None:
        return job
    attempts = tuple(attempt for attempt in job.attempts if attempt.number > job.redrive.after_attempt)
    cost_usd = (job.cost_usd or 0.0) - (job.redrive.cost_usd or 0.0)
    return job.model_copy(update={"attempts": attempts, "cost_usd": cost_usd})


def lost_s(job: Job) -> float:
    """Seconds of attempts whose steps the next one had to do again; all of the last one's where no video came of it."""
    lost = sum(
        _seconds(before) * _lost_share(before, after.resumed_from_step) for before, after in pairwise(job.attempts)
    )
    if job.status is not State.COMPLETED and job.attempts:
        lost += _seconds(job.attempts[-1])
    return lost


def _lost_share(attempt: Attempt, resumed_from_step: int) -> float:
    done = attempt.last_step - attempt.resumed_from_step
    if done <= 0:
        return 1.0
    return min(1.0, max(0.0, (attempt.last_step - resumed_from_step) / done))


def _seconds(attempt: Attempt) -> float:
    return 0.0 if attempt.ended_at is None else max(0.0, attempt.ended_at - attempt.started_at)


class TallyStore:
    """The TALLY items of the table."""

    def __init__(
        self, table: str, *, client: "DynamoDBClient | None" = None, now: Callable[[], float] = clock.now
    ) -> None:
        self.table = table
        self._given = client
        self._now = now

    @property
    def client(self) -> "DynamoDBClient":
        return self._given or aws.dynamodb()

    def add(self, job: Job) -> bool:
        """Count an ended job; False if that was done before."""
        once = {**items.tallied_key(job.ending_id), "expires_at": int(self._now() + ONCE_LIFETIME_S)}
        put: Any = {
            "TableName": self.table,
            "Item": items.marshal(once),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        update: Any = self._update(job)
        for race in range(MAX_RACES):
            try:
                self.client.transact_write_items(TransactItems=[{"Put": put}, {"Update": update}])
            except self.client.exceptions.TransactionCanceledException as cancelled:
                codes = [reason.get("Code") for reason in cancelled.response.get("CancellationReasons", [])]
                if "ConditionalCheckFailed" in codes:
                    return False
                if "TransactionConflict" not in codes:
                    raise
                pause(race)
            else:
                return True
        raise WriteContention(f"tallying {job.id}: {MAX_RACES} transactions in conflict")

    def _update(self, job: Job) -> dict[str, object]:
        amounts = counters(job)
        month = month_of(job.completed_at or self._now())
        return {
            "TableName": self.table,
            "Key": items.marshal(items.tally_key(month, job.owner, job.model)),
            "UpdateExpression": "ADD " + ", ".join(f"#{name} :{name}" for name in amounts)
            + " SET #owner = :owner, #model = :model, #month = :month",
            "ExpressionAttributeNames": {f"#{name}": name for name in (*amounts, "owner", "model", "month")},
            "ExpressionAttributeValues": items.marshal(
                {f":{name}": value for name, value in amounts.items()}
                | {":owner": job.owner, ":model": job.model, ":month": month}
            ),
        }  # fmt: skip

    def month(self, month: str) -> Iterator[Tally]:
        """All of a month, by owner and model."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=items.marshal({":pk": f"TALLY#{month}"}),
        )
        for page in pages:
            for item in page["Items"]:
                values = items.unmarshal(item)
                seconds = {
                    f"{name}_s": values.get(f"{name}_ms", 0) / 1000 for name in ("worked", "load", "lost", "video")
                }
                yield Tally.model_validate({**values, **seconds, "usd": values.get("musd", 0) / MICRO})
