"""What the fleet has cost this calendar month: the hourly rate, integrated from one run of the planner to the next."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict


class Ledger(BaseModel):
    """US$ of the month named by `month` (UTC, `2026-11`), counted up to `at_s` (unix seconds)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    month: str
    usd: float
    at_s: float


def month_of(at_s: float) -> str:
    """The calendar month in UTC, as AWS bills it."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m}"


def advance(ledger: Ledger | None, *, usd_per_hour: float, now_s: float) -> Ledger:
    """The ledger at `now_s`, the fleet having cost `usd_per_hour` since it was last advanced.

    A gap is charged at the present rate: after an outage of the planner the ledger is a guess, and the next report of
    AWS's own bill is the truth. A new month begins at zero, with what fell into it."""
    month = month_of(now_s)
    if ledger is None:
        return Ledger(month=month, usd=0.0, at_s=now_s)
    if now_s <= ledger.at_s:
        return ledger
    since_s = ledger.at_s if ledger.month == month else max(ledger.at_s, _month_began(now_s))
    before = ledger.usd if ledger.month == month else 0.0
    return Ledger(month=month, usd=before + usd_per_hour * (now_s - since_s) / 3600.0, at_s=now_s)


def _month_began(at_s: float) -> float:
    at = datetime.fromtimestamp(at_s, UTC)
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()
