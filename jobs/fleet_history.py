"""What the fleet was, minute by minute: the planner notes it, the API shows it, and it is forgotten after a week."""

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from jobs import aws, items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LIFETIME_S = 8 * 86_400
MAX_POINTS = 1500  # a day of minutes; longer spans are thinned to as many


class Sample(BaseModel):
    """One look of the planner's. `at` is unix seconds, `backlog_s` seconds of queued work on a slot, `month_usd` the
    calendar month's spend (UTC) up to then."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    at: float
    queued: int
    running: int
    backlog_s: float
    instances: int
    slots: int
    busy_slots: int
    usd_per_hour: float
    month_usd: float


class FleetHistory:
    """The FLEET_HISTORY items of the table."""

    def __init__(self, table: str, *, client: "DynamoDBClient | None" = None) -> None:
        self.table = table
        self._given = client

    @property
    def client(self) -> "DynamoDBClient":
        return self._given or aws.dynamodb()

    def note(self, sample: Sample) -> None:
        """Keep the sample; the last one of a minute stands for it."""
        item = {**items.sample_key(sample.at), **sample.model_dump(), "expires_at": int(sample.at + LIFETIME_S)}
        self.client.put_item(TableName=self.table, Item=items.marshal(item))

    def since(self, at: float) -> list[Sample]:
        """Every sample from `at` (unix seconds) on, the oldest first."""
        key = items.sample_key(at)
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk AND sk >= :sk",
            ExpressionAttributeValues=items.marshal({":pk": key["pk"], ":sk": key["sk"]}),
        )
        return [Sample.model_validate(items.unmarshal(item)) for page in pages for item in page["Items"]]


def thinned(samples: list[Sample], most: int) -> list[Sample]:
    """At most `most` of the samples, evenly spread, the newest among them."""
    stride = -(-len(samples) // most)
    return samples if stride <= 1 else samples[::-1][::stride][::-1]
