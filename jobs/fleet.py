"""What the fleet is, by its own word: agents register their instances, and what a kind of instance can run is kept."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs import aws, clock, items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INSTANCE_LIFETIME_S = 300  # an agent that has not registered for so long is gone


class _Record(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)


class Ability(_Record):
    """Whether a kind of instance can run a model, and why not."""

    model: str
    runnable: bool
    reason: str | None = None


class Slot(_Record):
    """The GPUs of one worker process (`0`, `0+1`, `cpu`), the model it has loaded and the job it runs."""

    name: str
    loaded_model: str | None = None
    job_id: str | None = None


class Instance(_Record):
    """One running instance. `kind` is its instance type, or `local`; times are unix seconds."""

    id: str
    kind: str
    state: Literal["starting", "idle", "busy", "draining"]
    started_at: float
    seen_at: float
    spot: bool = False
    usd_per_hour: float | None = None
    accelerators: tuple[str, ...] = ()
    slots: tuple[Slot, ...] = ()


class Measured(_Record):
    """What one accelerator of the kind reached in the first-boot benchmark: TFLOP/s of a large bf16 product, GiB/s from
    its disk into the GPU."""

    matmul_tf_s: float = Field(gt=0)
    load_gib_s: float = Field(gt=0)
    measured_at: float


class Abilities(_Record):
    """What instances of a kind can run, as one of them last reported.

    `slot` is what a worker owns there (`A10Gx1`), `boot_s` the seconds from launch to the first poll, measured."""

    kind: str
    slot: str
    boot_s: float | None = None
    measured: Measured | None = None
    reported_at: float
    abilities: tuple[Ability, ...] = Field(default=())


class FleetStore:
    """The FLEET items of the table."""

    def __init__(
        self, table: str, *, client: "DynamoDBClient | None" = None, now: Callable[[], float] = clock.now
    ) -> None:
        self.table = table
        self._given = client
        self._now = now

    @property
    def client(self) -> "DynamoDBClient":
        return self._given or aws.dynamodb()

    def register(self, instance: Instance) -> None:
        """Say that an instance is there and what it does; again with every heartbeat."""
        expires_at = int(instance.seen_at + INSTANCE_LIFETIME_S)
        fields = instance.model_dump(mode="json", exclude_none=True)
        self._put({**items.instance_key(instance.id), **fields, "expires_at": expires_at})

    def deregister(self, instance_id: str) -> None:
        """The instance ends in good order."""
        self.client.delete_item(TableName=self.table, Key=items.marshal(items.instance_key(instance_id)))

    def report_abilities(
        self,
        kind: str,
        *,
        slot: str,
        abilities: tuple[Ability, ...],
        boot_s: float | None = None,
        measured: Measured | None = None,
    ) -> None:
        """What instances of this kind can run; stays known when none is running."""
        record = Abilities(
            kind=kind, slot=slot, boot_s=boot_s, measured=measured, reported_at=self._now(), abilities=abilities
        )
        self._put({**items.abilities_key(kind), **record.model_dump(mode="json", exclude_none=True)})

    def instances(self) -> list[Instance]:
        """The instances heard of within the last five minutes."""
        oldest = self._now() - INSTANCE_LIFETIME_S
        found = [Instance.model_validate(values) for values in self._query("INSTANCE#")]
        return [instance for instance in found if instance.seen_at > oldest]

    def slots(self) -> int:
        """How many slots work now, whatever they are at."""
        return sum(len(instance.slots) for instance in self.instances())

    def abilities(self) -> list[Abilities]:
        """What each kind of instance that ever reported can run."""
        return [Abilities.model_validate(values) for values in self._query("ABILITIES#")]

    def _put(self, values: dict[str, Any]) -> None:
        self.client.put_item(TableName=self.table, Item=items.marshal(values))

    def _query(self, prefix: str) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=items.marshal({":pk": "FLEET", ":prefix": prefix}),
        )
        return [items.unmarshal(item) for page in pages for item in page["Items"]]
