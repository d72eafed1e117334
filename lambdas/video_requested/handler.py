"""`Video Requested` on the bus: the third door. A bad request has nobody to answer to: it is logged, not retried."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from jobs import idempotency
from jobs.errors import RequestError
from jobs.events import RequestedDetail
from jobs.job import DEFAULT_OWNER, Source
from jobs.parsing import check_depth, request_error
from jobs.request import RequestBody
from lambdas import services

logger = Logger()
_ENVELOPE = RequestedDetail.model_fields.keys() - RequestBody.model_fields.keys()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, str]:
    """Returns the job's id, or why there is none."""
    try:
        return {"job_id": _submit(event)}
    except RequestError as error:
        logger.warning("request refused", extra={"event_id": event.get("id"), "param": error.param, "code": error.code})
        return {"error": error.message}


def _submit(event: dict[str, Any]) -> str:
    detail = event["detail"]
    check_depth(detail)
    try:
        requested = RequestedDetail.model_validate(detail)
    except ValidationError as invalid:
        raise request_error(invalid) from invalid
    identity = requested.request_id or event["id"]
    job = services.submitter().submit(
        {name: value for name, value in detail.items() if name not in _ENVELOPE},
        owner=DEFAULT_OWNER,
        source=Source(door="event", event_id=event["id"]),
        idempotency_key=f"event:{identity}",
        key_lifetime_s=idempotency.DELIVERY_LIFETIME_S,
    )
    return job.id
