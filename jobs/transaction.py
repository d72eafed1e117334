"""What is new is written whole or not at all: a record, what makes it unique, and what it is charged to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jobs import items
from jobs.backoff import pause
from jobs.errors import ConditionFailed, WriteContention

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_RACES = 10


def put_new(table: str, item: items.Item, *, now: float | None) -> Any:
    """A Put; with `now`, only where there is nothing yet, or something that has expired (TTL removes it days later)."""
    put: dict[str, Any] = {"TableName": table, "Item": item}
    if now is not None:
        put["ConditionExpression"] = "attribute_not_exists(pk) OR expires_at <= :now"
        put["ExpressionAttributeValues"] = items.marshal({":now": int(now)})
    return {"Put": put}


def write_new(
    client: "DynamoDBClient", puts: Sequence[Any], updates: Sequence[dict[str, Any]] = (), *, name: str
) -> bool:
    """Write all of it in one transaction. False, with nothing written, if one of the `puts` is there already.

    Raises ConditionFailed if one of the updates cannot be made, WriteContention."""
    writes: list[Any] = [*puts, *({"Update": update} for update in updates)]
    for race in range(MAX_RACES):
        try:
            client.transact_write_items(TransactItems=writes)
        except client.exceptions.TransactionCanceledException as cancelled:
            codes = [reason.get("Code") for reason in cancelled.response.get("CancellationReasons", [])]
            if "ConditionalCheckFailed" in codes[: len(puts)]:
                return False
            if "ConditionalCheckFailed" in codes:
                raise ConditionFailed(codes.index("ConditionalCheckFailed") - len(puts)) from cancelled
            if "TransactionConflict" not in codes:
                raise
            pause(race)
        else:
            return True
    raise WriteContention(f"{name}: {MAX_RACES} transactions in conflict")
