"""The table's stream to events on the bus (transactional outbox).

A failed PutEvents fails the batch, and the stream delivers it again: an event may be published twice, with one
`event_id`, but none is passed over. (Reporting single records would save repeats, and lose events on an emulator that
ignores the report.)
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobs import items
from jobs.events import EventDetail, changes
from jobs.job import Job
from jobs.outcome_metrics import figures
from jobs.publish import publish
from jobs.settings import settings
from jobs.states import State, is_terminal
from lambdas import services

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Returns how many events were published."""
    details = [detail for record in event["Records"] for detail in _details(record["dynamodb"])]
    publish(settings().event_bus, details)
    for record in event["Records"]:
        _settle(record["dynamodb"])
        _measure(record["dynamodb"])
    return {"published": len(details)}


def _details(change: dict[str, Any]) -> list[EventDetail]:
    if change["Keys"]["sk"]["S"] != "JOB":
        return []
    return changes(_job(change.get("OldImage")), _job(change.get("NewImage")))


def _settle(change: dict[str, Any]) -> None:
    """An ended job's cost goes to its key's account. Whoever deletes a job under way pays as if it was cancelled."""
    if change["Keys"]["sk"]["S"] != "JOB":
        return
    old, new = _job(change.get("OldImage")), _job(change.get("NewImage"))
    if old is not None and is_terminal(old.status):
        return
    ended = new if new is not None else old and old.model_copy(update={"status": State.CANCELLED})
    if ended is not None and is_terminal(ended.status):
        services.usage().settle(ended)
        services.tallies().add(ended)
        _learn(ended)


def _measure(change: dict[str, Any]) -> None:
    """A batch that is repeated is measured again: metrics are for a look, the tallies are for the accounts."""
    if change["Keys"]["sk"]["S"] != "JOB":
        return
    for name, value, unit, by in figures(_job(change.get("OldImage")), _job(change.get("NewImage"))):
        with single_metric(name=name, unit=MetricUnit(unit), value=value, namespace="Revalida") as metric:
            metric.add_dimension(name="service", value="publisher")
            if by is not None:
                metric.add_dimension(name=by[0], value=by[1])


def _learn(ended: Job) -> None:
    """A completed job tells how far its prediction was off."""
    if ended.status is not State.COMPLETED:
        return
    from jobs.calibration import sample_of  # with the arithmetic, which most of what is told here does not need

    sample = sample_of(ended)
    if sample is not None:
        services.calibration().learn(sample)


def _job(image: dict[str, Any] | None) -> Job | None:
    return items.job_from_item(image) if image else None
