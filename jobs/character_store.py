"""The CHARACTER items of the table. Every change of state is conditional on the state that it leads from."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs import aws, clock, items
from jobs.character import Character, CharacterStatus
from jobs.errors import CharacterNotFound
from jobs.ids import is_character_id
from jobs.job import JobError
from jobs.store import Order
from jobs.transaction import put_new, write_new

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class CharacterMoved(Exception):
    """The character is not in the state that the change leads from."""


class CharacterPage(NamedTuple):
    """One page of a list; `has_more` says whether another follows."""

    characters: list[Character]
    has_more: bool


class CharacterStore:
    """Reads and writes characters. A trainer moves them by `training`, `ready` and `failed`."""

    def __init__(self, table: str, *, now: Callable[[], float] = clock.now) -> None:
        self.table = table
        self._now = now

    @property
    def client(self) -> "DynamoDBClient":
        return aws.dynamodb()

    def create(self, character: Character, *, idempotency: dict[str, Any], unique: bool) -> bool:
        """Write a new one, with its idempotency record; False if that is there already and must be `unique`."""
        now = self._now()
        puts = [
            put_new(self.table, _item(character), now=now),
            put_new(self.table, items.marshal(idempotency), now=now if unique else None),
        ]
        return write_new(self.client, puts, name=character.id)

    def get(self, character_id: str, *, owner: str) -> Character:
        """The character as last written. Raises CharacterNotFound."""
        found = self._find(character_id)
        if found is None or found.owner != owner:
            raise CharacterNotFound(character_id)
        return found

    def list(self, owner: str, *, after: str | None, limit: int, order: Order) -> CharacterPage:
        """An owner's characters in order of creation."""
        request: dict[str, Any] = {
            "TableName": self.table,
            "IndexName": "by_owner",
            "KeyConditionExpression": "gsi1pk = :owner",
            "ExpressionAttributeValues": items.marshal({":owner": f"CHARACTERS#{owner}"}),
            "ScanIndexForward": order == "asc",
            "Limit": limit + 1,
        }
        if after is not None:
            start = {**items.character_key(after), **items.character_order(owner, after)}
            request["ExclusiveStartKey"] = items.marshal(start)
        found = [_from_item(item) for item in self.client.query(**request)["Items"]]
        return CharacterPage(found[:limit], len(found) > limit)

    def delete(self, character_id: str, *, owner: str) -> Character:
        """Remove the record. Returns what was there. Raises CharacterNotFound."""
        found = self.get(character_id, owner=owner)
        self.client.delete_item(TableName=self.table, Key=items.marshal(items.character_key(character_id)))
        return found

    def training(self, character_id: str) -> Character:
        """A trainer takes it up. Raises CharacterMoved, CharacterNotFound."""
        return self._move(character_id, "queued", "training")

    def ready(self, character_id: str) -> Character:
        """Its LoRA lies at `s3_keys.lora(id)`. Raises CharacterMoved, CharacterNotFound."""
        return self._move(character_id, "training", "ready")

    def failed(self, character_id: str, error: JobError) -> Character:
        """Training it failed. Raises CharacterMoved, CharacterNotFound."""
        return self._move(character_id, "training", "failed", error=error)

    def _move(
        self, character_id: str, old: CharacterStatus, new: CharacterStatus, *, error: JobError | None = None
    ) -> Character:
        found = self._find(character_id)
        if found is None:
            raise CharacterNotFound(character_id)
        moved = found.model_copy(update={"status": new, "updated_at": self._now(), "error": error})
        try:
            self._put(moved, condition="#status = :old", old=old)
        except self.client.exceptions.ConditionalCheckFailedException as stale:
            raise CharacterMoved(f"{character_id} is not {old}") from stale
        return moved

    def _find(self, character_id: str) -> Character | None:
        if not is_character_id(character_id):
            return None
        key = items.marshal(items.character_key(character_id))
        item = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        return _from_item(item) if item else None

    def _put(self, character: Character, *, condition: str, old: CharacterStatus | None = None) -> None:
        request: dict[str, Any] = {
            "TableName": self.table,
            "Item": _item(character),
            "ConditionExpression": condition,
        }
        if old is not None:
            request["ExpressionAttributeNames"] = {"#status": "status"}
            request["ExpressionAttributeValues"] = items.marshal({":old": old})
        self.client.put_item(**request)


def _item(character: Character) -> items.Item:
    keys = {**items.character_key(character.id), **items.character_order(character.owner, character.id)}
    return items.marshal({**character.model_dump(mode="json", exclude_none=True), **keys})


def _from_item(item: Any) -> Character:
    values = items.unmarshal(item)
    return Character.model_validate({name: value for name, value in values.items() if name not in items.KEY_ATTRIBUTES})
