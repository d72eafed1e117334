"""The planner's record: what it decided, why it held back, what the fleet costs. The API shows it, and the next run
reads it."""

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from jobs import aws, items
from jobs.planner import FailureKind, HoldCode, Ledger, Market, Memory

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class FailureRecord(_Record):
    """A group's launches fail, and why, in AWS's own words. `at` is unix seconds."""

    market: Market
    kind: FailureKind
    at: float
    message: str


class MarketPlan(_Record):
    """Instances of one market: asked for, there (booting ones included), and the price that one was counted with."""

    desired: int
    instances: int
    usd_per_hour: float


class SpendRecord(_Record):
    """US$ of this calendar month (UTC) and an hour at present, against the operator's limits (null: none)."""

    month: str
    month_usd: float
    usd_per_hour: float
    max_usd_per_month: float | None
    max_usd_per_hour: float | None
    stopped: bool


class PlannerMemory(_Record):
    """`jobs.planner.Memory`, kept between runs."""

    unmet_since_s: float | None = None
    spot_instances: int = 0
    closed_until_s: float = 0.0

    def value(self) -> Memory:
        return Memory(
            unmet_since_s=self.unmet_since_s,
            spot_instances=self.spot_instances,
            closed_until_s=self.closed_until_s,
        )


class SpotPrices(_Record):
    """US$ an hour by instance type, as AWS told at `at` (unix seconds)."""

    at: float
    usd_per_hour: dict[str, float]


class FleetPlan(_Record):
    """What callers see of a run. `holds` name what kept it from launching all that the backlog asks for; `at` is unix
    seconds."""

    at: float
    spot: MarketPlan
    on_demand: MarketPlan
    holds: tuple[HoldCode, ...] = ()
    failures: tuple[FailureRecord, ...] = ()
    spend: SpendRecord


class PlanRecord(FleetPlan):
    """One run of the planner, with what the next one needs. `retire` is the order to one instance's agent: hand over
    the jobs, and leave. `silent` are instances that have been paid for without an agent for too long."""

    ledger: Ledger
    memory: PlannerMemory = Field(default_factory=PlannerMemory)
    prices: SpotPrices | None = None
    retire: str | None = None
    silent: tuple[str, ...] = ()

    def shown(self) -> FleetPlan:
        """Without the planner's own notes."""
        return FleetPlan.model_validate(self.model_dump(include=set(FleetPlan.model_fields)))


class PlanStore:
    """The FLEET/PLAN item of the table."""

    def __init__(self, table: str, *, client: "DynamoDBClient | None" = None) -> None:
        self.table = table
        self._given = client

    @property
    def client(self) -> "DynamoDBClient":
        return self._given or aws.dynamodb()

    def get(self) -> PlanRecord | None:
        """The last run's record; None before the first."""
        answer = self.client.get_item(TableName=self.table, Key=items.marshal(items.plan_key()), ConsistentRead=True)
        return PlanRecord.model_validate(items.unmarshal(answer["Item"])) if "Item" in answer else None

    def put(self, record: PlanRecord) -> bool:
        """Keep the record; False where a run that began later was faster."""
        try:
            self.client.put_item(
                TableName=self.table,
                Item=items.marshal({**items.plan_key(), **record.model_dump(mode="json", exclude_none=True)}),
                ConditionExpression="attribute_not_exists(pk) OR #at < :at",
                ExpressionAttributeNames={"#at": "at"},
                ExpressionAttributeValues=items.marshal({":at": record.at}),
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True
