"""The account of each key, in the one table: what is reserved, what was spent, how many jobs there are.

A limit is a condition of the very transaction that writes the job: two requests at once cannot both take the last
place. A job's end is settled once, however often it is told."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs import aws, clock, items
from jobs.backoff import pause
from jobs.errors import WriteContention
from jobs.job import Charge, Job
from jobs.limits import (
    MICRO,
    RATE_WINDOW_S,
    LimitName,
    LimitReached,
    Limits,
    Usage,
    actual_musd,
    day_of,
    micro,
    month_of,
    seconds_to_midnight,
)
from jobs.open_charges import OpenCharge, closing, open_charges, opening

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_RACES = 8
SETTLED_LIFETIME_S = 30 * 24 * 3600  # the stream repeats within a day; a replay of it by hand comes later
DAY_LIFETIME_S = 3 * 24 * 3600


class Reservation(NamedTuple):
    """One write of the accepting transaction, and the limit that makes it fail."""

    write: dict[str, Any]
    limit: LimitName


class UsageStore:
    """Counts for keys. `now` is the clock, given for tests."""

    def __init__(
        self, table: str, *, client: "DynamoDBClient | None" = None, now: Callable[[], float] = clock.now
    ) -> None:
        self.table = table
        self._given = client
        self.now = now

    @property
    def client(self) -> "DynamoDBClient":
        return self._given or aws.dynamodb()

    def count_request(self, key_id: str, limits: Limits) -> None:
        """Raises LimitReached if the key has made its requests of this minute."""
        if limits.requests_per_minute is None:
            return
        now = int(self.now())
        window = now // RATE_WINDOW_S
        write = self._add(key_id, f"RATE#{window}", {"requests": 1}, expires_at=now + 2 * RATE_WINDOW_S)
        _bound(write, "requests", limits.requests_per_minute)
        try:
            self.client.update_item(**write)
        except self.client.exceptions.ConditionalCheckFailedException as full:
            message = f"Rate limit reached: {limits.requests_per_minute} requests a minute."
            wait_s = RATE_WINDOW_S - now % RATE_WINDOW_S
            raise LimitReached("requests_per_minute", message, retry_after_s=wait_s) from full

    def reservations(self, charge: Charge, limits: Limits) -> list[Reservation]:
        """The writes that go with a new job of a key that has limits. Raises LimitReached if the job alone is more
        than the month's budget."""
        if not charge.bound:
            return []
        now = self.now()
        month = self._add(charge.key_id, f"MONTH#{charge.month}", {"committed_musd": charge.reserved_musd})
        if limits.monthly_budget_usd is not None:
            room = micro(limits.monthly_budget_usd) - charge.reserved_musd
            if room < 0:
                raise self.refusal("monthly_budget_usd", charge, limits)
            _bound(month, "committed_musd", room, inclusive=True)
        expires_at = int(now + DAY_LIFETIME_S)
        day = self._add(charge.key_id, f"DAY#{day_of(now)}", {"jobs": 1}, expires_at=expires_at)
        if limits.max_daily_jobs is not None:
            _bound(day, "jobs", limits.max_daily_jobs)
        active = self._add(charge.key_id, "ACTIVE", {"jobs": 1})
        if limits.max_concurrent_jobs is not None:
            _bound(active, "jobs", limits.max_concurrent_jobs)
        return [
            Reservation(month, "monthly_budget_usd"),
            Reservation(day, "max_daily_jobs"),
            Reservation(active, "max_concurrent_jobs"),
        ]

    def opening(self, job: Job) -> dict[str, Any]:
        """The write by which a new job's charge is known to be open."""
        return opening(self.table, job)

    def open_charges(self) -> Iterator[OpenCharge]:
        """What has not been settled yet, the oldest job first."""
        return open_charges(self.client, self.table)

    def refusal(self, limit: LimitName, charge: Charge, limits: Limits) -> LimitReached:
        """Why the job is not accepted, with the numbers."""
        used = self.usage(charge.key_id)
        if limit == "monthly_budget_usd":
            message = (
                f"The key's budget does not cover this video: US${charge.reserved_musd / MICRO:.4f} are estimated, and "
                f"of US${limits.monthly_budget_usd:.2f} for {used.month}, US${used.spent_usd:.4f} are spent and "
                f"US${used.reserved_usd:.4f} reserved for videos under way."
            )
            return LimitReached(limit, message)
        if limit == "max_daily_jobs":
            message = f"The key has made {used.jobs_today} of the {limits.max_daily_jobs} videos it may make a day."
            return LimitReached(limit, message, retry_after_s=seconds_to_midnight(self.now()))
        message = f"The key has {used.active_jobs} videos under way; it may have {limits.max_concurrent_jobs} at once."
        return LimitReached(limit, message, retry_after_s=10)

    def settle(self, job: Job) -> bool:
        """Book an ended job's actual cost in place of what was reserved. False if that was done before."""
        return False if job.charge is None else self._book(job.id, job.ending_id, job.charge, actual_musd(job))

    def settle_gone(self, open_charge: OpenCharge) -> bool:
        """The same for a job whose record is gone: nobody can tell what was worked on it, so it is on the house."""
        return self._book(open_charge.job_id, open_charge.job_id, open_charge.charge, 0)

    def _book(self, job_id: str, ending_id: str, charge: Charge, actual: int) -> bool:
        amounts = {"committed_musd": actual - charge.reserved_musd, "spent_musd": actual, "ended_jobs": 1}
        writes: list[dict[str, Any]] = [
            {"Put": self._settled_once(ending_id, actual)},
            {"Update": self._add(charge.key_id, f"MONTH#{charge.month}", amounts)},
            {"Delete": closing(self.table, job_id)},
        ]
        if charge.bound:
            writes.append({"Update": self._add(charge.key_id, "ACTIVE", {"jobs": -1})})
        return self._transact(writes, job_id)

    def usage(self, key_id: str) -> Usage:
        """The account as it stands."""
        now = self.now()
        month = self._read(key_id, f"MONTH#{month_of(now)}")
        spent, committed = month.get("spent_musd", 0), month.get("committed_musd", 0)
        return Usage(
            month=month_of(now),
            spent_usd=spent / MICRO,
            reserved_usd=max(0, committed - spent) / MICRO,
            active_jobs=self._read(key_id, "ACTIVE").get("jobs", 0),
            jobs_today=self._read(key_id, f"DAY#{day_of(now)}").get("jobs", 0),
        )

    def _settled_once(self, ending_id: str, actual: int) -> dict[str, Any]:
        keys = items.settlement_key(ending_id)
        item = {**keys, "cost_musd": actual, "expires_at": int(self.now() + SETTLED_LIFETIME_S)}
        return {
            "TableName": self.table,
            "Item": items.marshal(item),
            "ConditionExpression": "attribute_not_exists(pk)",
        }

    def _transact(self, writes: list[dict[str, Any]], job_id: str) -> bool:
        for race in range(MAX_RACES):
            try:
                self.client.transact_write_items(TransactItems=writes)  # type: ignore[arg-type]
            except self.client.exceptions.TransactionCanceledException as cancelled:
                codes = [reason.get("Code") for reason in cancelled.response.get("CancellationReasons", [])]
                if "ConditionalCheckFailed" in codes:
                    return False
                if "TransactionConflict" not in codes:
                    raise
                pause(race)
            else:
                return True
        raise WriteContention(f"settling {job_id}: {MAX_RACES} transactions in conflict")

    def _add(self, key_id: str, name: str, amounts: dict[str, int], *, expires_at: int | None = None) -> dict[str, Any]:
        """An update that adds to counters."""
        names = {f"#n{index}": attribute for index, attribute in enumerate(amounts)}
        values: dict[str, Any] = {f":v{index}": amount for index, amount in enumerate(amounts.values())}
        expression = "ADD " + ", ".join(f"#n{index} :v{index}" for index in range(len(amounts)))
        if expires_at is not None:
            expression += " SET expires_at = :expires_at"
            values[":expires_at"] = expires_at
        return {
            "TableName": self.table,
            "Key": items.marshal(items.usage_key(key_id, name)),
            "UpdateExpression": expression,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": items.marshal(values),
        }

    def _read(self, key_id: str, name: str) -> dict[str, Any]:
        key = items.marshal(items.usage_key(key_id, name))
        item = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        return items.unmarshal(item) if item else {}


def _bound(write: dict[str, Any], attribute: str, limit: int, *, inclusive: bool = False) -> None:
    """Have the update fail where the counter has reached the limit already."""
    write["ExpressionAttributeNames"]["#bound"] = attribute
    write["ExpressionAttributeValues"] |= items.marshal({":bound": limit})
    write["ConditionExpression"] = f"attribute_not_exists(#bound) OR #bound {'<=' if inclusive else '<'} :bound"
