"""The audit trail: what was changed by which API key, when, and from where. The key itself is nowhere in it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from jobs import aws, clock, items
from jobs.ids import new_ulid

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRAIL_LIFETIME_S = 400 * 24 * 3600
MAX_PATH_CHARS = 200


class AuditEntry(BaseModel):
    """One request that was to change something. `at` is unix seconds; `resource` the id that came of it."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)

    at: float
    method: str
    path: str
    status: int
    source_ip: str | None = None
    resource: str | None = None
    code: str | None = None


class AuditTrail:
    """The AUDIT items of the table."""

    def __init__(
        self, table: str, *, client: "DynamoDBClient | None" = None, now: Callable[[], float] = clock.now
    ) -> None:
        self.table = table
        self._given = client
        self._now = now

    @property
    def client(self) -> "DynamoDBClient":
        return self._given or aws.dynamodb()

    def write(self, key_id: str, entry: AuditEntry) -> None:
        """Keep an entry for 400 days."""
        shown = entry.model_copy(update={"path": printable(entry.path)})
        keys = items.audit_key(key_id, new_ulid())
        expires_at = int(entry.at + TRAIL_LIFETIME_S)
        values = {**shown.model_dump(mode="json", exclude_none=True), **keys, "expires_at": expires_at}
        self.client.put_item(TableName=self.table, Item=items.marshal(values))

    def read(self, key_id: str, *, limit: int) -> list[AuditEntry]:
        """The newest entries of a key."""
        answer = self.client.query(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=items.marshal({":pk": f"AUDIT#{key_id}"}),
            ScanIndexForward=False,
            Limit=limit,
            ConsistentRead=True,
        )
        return [AuditEntry.model_validate(items.unmarshal(item)) for item in answer["Items"]]


def printable(text: str) -> str:
    """A caller's text for a record or a log: shortened, without control or direction characters."""
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_PATH_CHARS])
