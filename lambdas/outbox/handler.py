"""An ended job of the drop folder: its video, thumbnail and result go below `outbox/`."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobs.drop.results import deliver
from jobs.errors import JobNotFound
from lambdas import services

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, list[str]]:
    """Returns the keys that were written."""
    job_id = event["detail"]["job"]["id"]
    try:
        job = services.store().get(job_id)
    except JobNotFound:
        logger.info("deleted before its results were delivered", extra={"job_id": job_id})
        return {"written": []}
    return {"written": deliver(job)}
