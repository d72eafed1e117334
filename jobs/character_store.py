"""The CHARACTER items of the table. Every change is conditional on the record being the one that was read."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs import aws, clock, items
from jobs.character import Character
from jobs.errors import CharacterNotFound, WriteContention
from jobs.ids import is_character_id
from jobs.store import Order
from jobs.transaction import put_new, write_new

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_RACES = 5


class CharacterPage(NamedTuple):
    """One page of a list; `has_more` says whether another follows."""

    characters: list[Character]
    has_more: bool


class CharacterStore:
    """Reads and writes characters."""

    def __init__(self, table: str, *, now: Callable[[], float] = clock.now) -> None:
        self.table = table
        self._now = now

    @property
    def client(self) -> "DynamoDBClient":
        return aws.dynamodb()

    def create(self, character: Character, *, idempotency: dict[str, Any] | None = None, unique: bool = True) -> bool:
        """Write a new one, with its idempotency record; False if that is there already and must be `unique`."""
        now = self._now()
        puts = [put_new(self.table, _item(character), now=now)]
        if idempotency is not None:
            puts.append(put_new(self.table, items.marshal(idempotency), now=now if unique else None))
        return write_new(self.client, puts, name=character.id)

    def get(self, character_id: str, *, owner: str) -> Character:
        """The character as last written. Raises CharacterNotFound."""
        found = self._find(character_id)
        if found is None or found.owner != owner:
            raise CharacterNotFound(character_id)
        return found

    def list(self, owner: str, *, after: str | None, limit: int, order: Order) -> CharacterPage:
        """An owner's characters in order of creation."""
        found = [*islice(self._owned(owner, after=after, order=order, page=limit + 1), limit + 1)]
        return CharacterPage(found[:limit], len(found) > limit)

    def _owned(self, owner: str, *, after: str | None, order: Order, page: int) -> Iterator[Character]:
        """From after `after` on. A page of DynamoDB ends at 1 MB, before `page` items, where the records are long."""
        request: dict[str, Any] = {
            "TableName": self.table,
            "IndexName": "by_owner",
            "KeyConditionExpression": "gsi1pk = :owner",
            "ExpressionAttributeValues": items.marshal({":owner": f"CHARACTERS#{owner}"}),
            "ScanIndexForward": order == "asc",
            "Limit": page,
        }
        if after is not None:
            start = {**items.character_key(after), **items.character_order(owner, after)}
            request["ExclusiveStartKey"] = items.marshal(start)
        for answer in self.client.get_paginator("query").paginate(**request):
            yield from map(_from_item, answer["Items"])

    def delete(self, character_id: str, *, owner: str) -> Character:
        """Remove the record. Returns what was there. Raises CharacterNotFound."""
        found = self.get(character_id, owner=owner)
        self.client.delete_item(TableName=self.table, Key=items.marshal(items.character_key(character_id)))
        return found

    def change(self, character_id: str, move: Callable[[Character], Character], *, owner: str) -> Character:
        """Read, change, write if nobody wrote in between; else again.

        Raises CharacterNotFound, WriteContention, and what `move` raises."""
        for _ in range(MAX_RACES):
            old = self.get(character_id, owner=owner)
            new = move(old)
            if new == old:
                return old
            new = new.model_copy(update={"revision": old.revision + 1, "updated_at": self._now()})
            try:
                self.client.put_item(
                    TableName=self.table,
                    Item=_item(new),
                    ConditionExpression="revision = :old",
                    ExpressionAttributeValues=items.marshal({":old": old.revision}),
                )
            except self.client.exceptions.ConditionalCheckFailedException:
                continue
            return new
        raise WriteContention(f"{character_id}: {MAX_RACES} races lost")

    def _find(self, character_id: str) -> Character | None:
        if not is_character_id(character_id):
            return None
        key = items.marshal(items.character_key(character_id))
        item = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        return _from_item(item) if item else None


def _item(character: Character) -> items.Item:
    keys = {**items.character_key(character.id), **items.character_order(character.owner, character.id)}
    return items.marshal({**character.model_dump(mode="json", exclude_none=True), **keys})


def _from_item(item: Any) -> Character:
    values = items.unmarshal(item)
    return Character.model_validate({name: value for name, value in values.items() if name not in items.KEY_ATTRIBUTES})
