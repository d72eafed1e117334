"""Webhooks: the queue's events become one message a receiver, and each message a try; what fails comes back later."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobs.webhooks.delivery import Message
from jobs.webhooks.dispatch import parse_message
from lambdas import webhook_services as services

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Returns the messages that are to come again. The mapping hands over one at a time, so that an error here
    leaves that one alone to be repeated."""
    again = [record for record in event["Records"] if not _done(record)]
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in again]}


def _done(record: dict[str, Any]) -> bool:
    content = parse_message(record["body"])
    if not isinstance(content, Message):
        receivers = services.dispatcher().fan_out(content)
        logger.info("event sent on", extra={"event_id": content["detail"]["event_id"], "receivers": receivers})
        return True
    retry_after_s = services.dispatcher().deliver(content)
    logger.info("tried", extra={"delivery_id": content.id, "retry_after_s": retry_after_s})
    if retry_after_s is None:
        return True
    services.queue().hide(record["receiptHandle"], retry_after_s)
    return False
