"""The METER items of the table: each instance's month."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from jobs import aws, items
from jobs.planner import Meter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_KEYS = 100  # of one BatchGetItem


class MeterStore:
    """Kept for good: a month's report is made of them."""

    def __init__(self, table: str, *, client: "DynamoDBClient | None" = None) -> None:
        self.table = table
        self._given = client

    @property
    def client(self) -> "DynamoDBClient":
        return self._given or aws.dynamodb()

    def of(self, instance_ids: Sequence[str], *, month: str) -> dict[str, Meter]:
        """The meters of these instances in a month, as far as there are any."""
        found: dict[str, Meter] = {}
        for start in range(0, len(instance_ids), MAX_KEYS):
            keys = [items.meter_key(month, one) for one in instance_ids[start : start + MAX_KEYS]]
            request = {self.table: {"Keys": [items.marshal(key) for key in keys], "ConsistentRead": True}}
            while request:
                answer = self.client.batch_get_item(RequestItems=request)  # type: ignore[arg-type]
                meters = [Meter.model_validate(items.unmarshal(one)) for one in answer["Responses"].get(self.table, [])]
                found |= {meter.instance_id: meter for meter in meters}
                request = answer.get("UnprocessedKeys", {})  # type: ignore[assignment]
        return found

    def put(self, meters: Iterable[Meter]) -> None:
        """Keep them; one that a later run has written already stays as it is."""
        for meter in meters:
            keys = items.meter_key(meter.month, meter.instance_id)
            try:
                self.client.put_item(
                    TableName=self.table,
                    Item=items.marshal({**meter.model_dump(mode="json", exclude_none=True), **keys}),
                    ConditionExpression="attribute_not_exists(pk) OR seen_at < :at",
                    ExpressionAttributeValues=items.marshal({":at": meter.seen_at}),
                )
            except self.client.exceptions.ConditionalCheckFailedException:
                continue

    def month(self, month: str) -> list[Meter]:
        """All instances of a month."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=items.marshal({":pk": items.meter_key(month, "")["pk"]}),
        )
        return [Meter.model_validate(items.unmarshal(item)) for page in pages for item in page["Items"]]
