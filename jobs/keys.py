"""API keys: `sk-...`, shown once, stored as their SHA-256. They are 256 random bits, so that a fast hash is enough.

`python -m jobs.keys create --owner acme --name "render script"` prints a new key (needs `REVALIDA_TABLE`).
"""

import argparse
import hashlib
import os
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from jobs import aws, clock, items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY_PATTERN = re.compile(r"^sk-[A-Za-z0-9_-]{20,100}$")


class ApiKey(BaseModel):
    """What is known of a key, without the key."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    owner: str
    name: str
    created_at: float
    revoked_at: float | None = None


def digest(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


class KeyStore:
    """The KEY items of the table."""

    def __init__(
        self, table: str, *, client: "DynamoDBClient | None" = None, now: Callable[[], float] = clock.now
    ) -> None:
        self.table = table
        self._given = client
        self._now = now

    @property
    def client(self) -> "DynamoDBClient":
        return self._given or aws.dynamodb()

    def create(self, *, owner: str, name: str) -> str:
        """A new key, returned this once."""
        key = f"sk-{secrets.token_urlsafe(32)}"
        record = ApiKey(owner=owner, name=name, created_at=self._now())
        self._put(key, record)
        return key

    def find(self, key: str) -> ApiKey | None:
        """Whose key it is; None if nobody's, or revoked. The read is consistent: a revocation holds at once."""
        record = self._get(key)
        return None if record is None or record.revoked_at is not None else record

    def revoke(self, key: str) -> bool:
        """The key stops working at once. False if it was no key."""
        record = self._get(key)
        if record is None:
            return False
        self._put(key, record.model_copy(update={"revoked_at": self._now()}))
        return True

    def _get(self, key: str) -> ApiKey | None:
        if KEY_PATTERN.match(key) is None:
            return None
        item_key = items.marshal(items.api_key(digest(key)))
        item = self.client.get_item(TableName=self.table, Key=item_key, ConsistentRead=True).get("Item")
        return ApiKey.model_validate(items.unmarshal(item)) if item else None

    def _put(self, key: str, record: ApiKey) -> None:
        fields = record.model_dump(mode="json", exclude_none=True)
        self.client.put_item(TableName=self.table, Item=items.marshal({**items.api_key(digest(key)), **fields}))


def main(arguments: Sequence[str] | None = None) -> int:
    """The operator's command."""
    parser = argparse.ArgumentParser(prog="python -m jobs.keys", description="Make an API key.")
    create = parser.add_subparsers(required=True).add_parser("create", help="make a key and print it, this once")
    create.add_argument("--owner", required=True, help="whose jobs the key makes and sees")
    create.add_argument("--name", required=True, help="what the key is for")
    options = parser.parse_args(arguments)
    sys.stdout.write(KeyStore(os.environ["REVALIDA_TABLE"]).create(owner=options.owner, name=options.name) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
