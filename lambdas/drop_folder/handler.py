"""S3 "Object Created" below `inbox/`: the file becomes jobs and a receipt."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobs.drop.characters import is_characters
from jobs.drop.intake import DroppedObject, is_folder_marker
from lambdas import services

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Returns how many entries were accepted and rejected."""
    detail = event["detail"]
    item = detail["object"]
    dropped = DroppedObject(
        bucket=detail["bucket"]["name"],
        key=item["key"],
        version_id=item.get("version-id") or None,
        etag=item.get("etag", "").strip('"'),
        sequencer=item.get("sequencer") or None,
    )
    # A character's folder is taken in as a whole, by the sweeper, once it is quiet.
    if is_folder_marker(dropped.key) or is_characters(dropped.key):
        return {"accepted": 0, "rejected": 0}
    receipt = services.intake().take(dropped)
    if receipt is None:
        logger.info("this version, or a later one, was taken in before", extra={"key": dropped.key})
        return {"accepted": 0, "rejected": 0}
    accepted = sum(entry.status == "accepted" for entry in receipt.entries)
    counts = {"accepted": accepted, "rejected": len(receipt.entries) - accepted}
    logger.info("dropped file taken in", extra={"key": dropped.key, **counts})
    return counts
