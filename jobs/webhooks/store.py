"""Endpoints and the delivery log, in the one table: WEBHOOK items by owner, DELIVERY items by receiver."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobs import aws, clock, items
from jobs.errors import RequestError, WebhookNotFound, WriteContention
from jobs.webhooks.delivery import LOG_LIFETIME_S, Delivery
from jobs.webhooks.endpoint import MAX_ENDPOINTS, Endpoint, is_endpoint_id

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_RACES = 10


class WebhookStore:
    """Reads and writes endpoints and deliveries."""

    def __init__(
        self, table: str, *, client: "DynamoDBClient | None" = None, now: Callable[[], float] = clock.now
    ) -> None:
        self.table = table
        self._given = client
        self.now = now

    @property
    def client(self) -> "DynamoDBClient":
        return self._given or aws.dynamodb()

    def add(self, endpoint: Endpoint) -> None:
        """Keep a new endpoint. Raises RequestError if the owner has as many as one may have."""
        if len(self.of_owner(endpoint.owner)) >= MAX_ENDPOINTS:
            raise RequestError(f"There are {MAX_ENDPOINTS} webhooks already.", code="too_many_webhooks")
        self._put(_endpoint_item(endpoint))

    def get(self, owner: str, endpoint_id: str) -> Endpoint:
        """Raises WebhookNotFound."""
        item = self._get(items.webhook_key(owner, endpoint_id)) if is_endpoint_id(endpoint_id) else None
        if item is None:
            raise WebhookNotFound(endpoint_id)
        return Endpoint.model_validate(item)

    def of_owner(self, owner: str) -> list[Endpoint]:
        """An owner's endpoints, oldest first."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=items.marshal({":pk": f"WEBHOOKS#{owner}", ":prefix": "WEBHOOK#"}),
            ConsistentRead=True,
        )
        return [Endpoint.model_validate(items.unmarshal(item)) for page in pages for item in page["Items"]]

    def change(self, owner: str, endpoint_id: str, move: Callable[[Endpoint], Endpoint]) -> Endpoint:
        """Read, move, write if nobody wrote in between; else again. Raises WebhookNotFound."""
        for _ in range(MAX_RACES):
            old = self.get(owner, endpoint_id)
            new = move(old)
            if new == old:
                return old
            new = new.model_copy(update={"revision": old.revision + 1})
            if self._replace(old, new):
                return new
        raise WriteContention(f"{endpoint_id}: {MAX_RACES} races lost")

    def delete(self, owner: str, endpoint_id: str) -> None:
        """Raises WebhookNotFound."""
        self.get(owner, endpoint_id)
        self.client.delete_item(TableName=self.table, Key=items.marshal(items.webhook_key(owner, endpoint_id)))

    def delivery(self, receiver: str, delivery_id: str) -> Delivery | None:
        """The log's entry, if there is one."""
        item = self._get(items.delivery_key(receiver, delivery_id))
        return None if item is None else Delivery.model_validate(item)

    def log(self, delivery: Delivery) -> None:
        """Write the entry; it is kept for thirty days."""
        keys = items.delivery_key(delivery.receiver, delivery.id)
        order = items.delivery_order(delivery.receiver, delivery.created_at, delivery.id)
        fields = delivery.model_dump(mode="json", exclude_none=True)
        self._put({**fields, **keys, **order, "expires_at": int(delivery.created_at + LOG_LIFETIME_S)})

    def deliveries(self, receiver: str, *, limit: int) -> list[Delivery]:
        """The newest entries of a receiver."""
        answer = self.client.query(
            TableName=self.table,
            IndexName="by_owner",
            KeyConditionExpression="gsi1pk = :pk",
            ExpressionAttributeValues=items.marshal({":pk": f"DELIVERIES#{receiver}"}),
            ScanIndexForward=False,
            Limit=limit,
        )
        return [Delivery.model_validate(items.unmarshal(item)) for item in answer["Items"]]

    def _get(self, key: dict[str, str]) -> dict[str, Any] | None:
        item = self.client.get_item(TableName=self.table, Key=items.marshal(key), ConsistentRead=True).get("Item")
        return items.unmarshal(item) if item else None

    def _put(self, values: dict[str, Any]) -> None:
        self.client.put_item(TableName=self.table, Item=items.marshal(values))

    def _replace(self, old: Endpoint, new: Endpoint) -> bool:
        try:
            self.client.put_item(
                TableName=self.table,
                Item=items.marshal(_endpoint_item(new)),
                ConditionExpression="revision = :old",
                ExpressionAttributeValues=items.marshal({":old": old.revision}),
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _endpoint_item(endpoint: Endpoint) -> dict[str, Any]:
    fields = endpoint.model_dump(mode="json", exclude_none=True)
    return {**fields, **items.webhook_key(endpoint.owner, endpoint.id)}
