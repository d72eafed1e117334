"""API keys: `sk-...`, shown once, stored as their SHA-256. They are 256 random bits, so that a fast hash is enough.

`python -m jobs.keys create --owner acme --name "render script"` prints a new key (needs `REVALIDA_TABLE`).
"""

import hashlib
import re
import secrets
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from jobs import aws, clock, items
from jobs.errors import WriteContention
from jobs.ids import new_key_id
from jobs.limits import Limits

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY_PATTERN = re.compile(r"^sk-[A-Za-z0-9_-]{20,100}$")
OWNER_PATTERN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")
MAX_RACES = 10


class Scope(StrEnum):
    """What a key may be used for: make and end videos; see them; manage keys and webhooks, which see everything."""

    SUBMIT = "submit"
    READ = "read"
    ADMIN = "admin"


DEFAULT_SCOPES = (Scope.SUBMIT, Scope.READ)


class KeyNotFound(Exception):
    """No such key, or not this owner's."""


class ApiKey(BaseModel):
    """What is known of a key, without the key. `id` names it where it is managed and audited."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)

    id: str
    owner: str
    name: str
    scopes: tuple[Scope, ...] = DEFAULT_SCOPES
    limits: Limits = Limits()
    created_at: float
    revoked_at: float | None = None
    revision: int = 0


def digest(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


class KeyStore:
    """The KEY items of the table, and for each owner the list of them."""

    def __init__(
        self, table: str, *, client: "DynamoDBClient | None" = None, now: Callable[[], float] = clock.now
    ) -> None:
        self.table = table
        self._given = client
        self._now = now

    @property
    def client(self) -> "DynamoDBClient":
        return self._given or aws.dynamodb()

    def create(
        self, *, owner: str, name: str, scopes: tuple[Scope, ...] = DEFAULT_SCOPES, limits: Limits | None = None
    ) -> str:
        """A new key, returned this once. Raises ValueError for an owner that is no plain name."""
        return self.add(owner=owner, name=name, scopes=scopes, limits=limits)[0]

    def add(self, *, owner: str, name: str, scopes: tuple[Scope, ...], limits: Limits | None) -> tuple[str, ApiKey]:
        """A new key, and its record."""
        if OWNER_PATTERN.fullmatch(owner) is None:
            raise ValueError(f"no name for an owner: {owner[:70]!r}")
        key = f"sk-{secrets.token_urlsafe(32)}"
        record = ApiKey(
            id=new_key_id(),
            owner=owner,
            name=name,
            scopes=scopes,
            limits=limits or Limits(),
            created_at=self._now(),
        )
        entry = {**items.key_of_owner(owner, record.id), "digest": digest(key)}
        puts = [_item(digest(key), record), items.marshal(entry)]
        self.client.transact_write_items(
            TransactItems=[{"Put": {"TableName": self.table, "Item": item}} for item in puts]
        )
        return key, record

    def find(self, key: str) -> ApiKey | None:
        """Whose key it is; None if nobody's, or revoked. The read is consistent: a revocation holds at once."""
        record = self._get(digest(key)) if KEY_PATTERN.match(key) else None
        return None if record is None or record.revoked_at is not None else record

    def revoke(self, key: str) -> bool:
        """The key stops working at once. False if it was no key."""
        record = self._get(digest(key)) if KEY_PATTERN.match(key) else None
        if record is None:
            return False
        self._change(digest(key), self._revoked)
        return True

    def of_owner(self, owner: str) -> list[ApiKey]:
        """An owner's keys, oldest first; revoked ones, too."""
        found = (self._get(entry["digest"]) for entry in self._entries(owner))
        return [record for record in found if record is not None]

    def named(self, owner: str, key_id: str) -> ApiKey:
        """Raises KeyNotFound."""
        record = self._get(self._digest_of(owner, key_id))
        if record is None:
            raise KeyNotFound(key_id)
        return record

    def revoke_named(self, owner: str, key_id: str) -> ApiKey:
        """The key stops working at once. Raises KeyNotFound."""
        return self._change(self._digest_of(owner, key_id), self._revoked)

    def update(self, owner: str, key_id: str, changes: dict[str, Any]) -> ApiKey:
        """Another name, other scopes or limits, from the next request on. Raises KeyNotFound."""
        return self._change(self._digest_of(owner, key_id), lambda record: record.model_copy(update=changes))

    def _revoked(self, record: ApiKey) -> ApiKey:
        return record if record.revoked_at else record.model_copy(update={"revoked_at": self._now()})

    def _digest_of(self, owner: str, key_id: str) -> str:
        key = items.marshal(items.key_of_owner(owner, key_id))
        item = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            raise KeyNotFound(key_id)
        return str(items.unmarshal(item)["digest"])

    def _entries(self, owner: str) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=items.marshal({":pk": items.key_of_owner(owner, "")["pk"]}),
            ConsistentRead=True,
        )
        return [items.unmarshal(item) for page in pages for item in page["Items"]]

    def _get(self, key_digest: str) -> ApiKey | None:
        item_key = items.marshal(items.api_key(key_digest))
        item = self.client.get_item(TableName=self.table, Key=item_key, ConsistentRead=True).get("Item")
        if item is None:
            return None
        # Keys of before they had ids are named by their hash.
        return ApiKey.model_validate({"id": f"key_{key_digest[:26]}", **items.unmarshal(item)})

    def _change(self, key_digest: str, move: Callable[[ApiKey], ApiKey]) -> ApiKey:
        """Read, move, write if nobody wrote in between; else again: an update never takes back a revocation."""
        for _ in range(MAX_RACES):
            old = self._get(key_digest)
            if old is None:
                raise KeyNotFound
            new = move(old).model_copy(update={"revision": old.revision + 1})
            try:
                self.client.put_item(
                    TableName=self.table,
                    Item=_item(key_digest, new),
                    ConditionExpression="revision = :old OR attribute_not_exists(revision)",
                    ExpressionAttributeValues=items.marshal({":old": old.revision}),
                )
            except self.client.exceptions.ConditionalCheckFailedException:
                continue
            return new
        raise WriteContention(f"a key: {MAX_RACES} races lost")


def _item(key_digest: str, record: ApiKey) -> items.Item:
    return items.marshal({**record.model_dump(mode="json", exclude_none=True), **items.api_key(key_digest)})


if __name__ == "__main__":
    from jobs.key_commands import main

    sys.exit(main())
