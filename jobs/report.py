"""The month's report: what each owner's videos of each model cost, with their part of the time when nobody worked.

Booting and idling are paid for, too, and are nobody's job. They are shared out by what each line's jobs cost, so that
the lines add up to what the instances cost."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from jobs.planner import Meter
from jobs.tally import Tally


class Line(BaseModel):
    """One owner and model. `usd` is the jobs' own time, `shared_usd` their part of booting and idling."""

    model_config = ConfigDict(frozen=True)

    owner: str
    model: str
    completed: int
    failed: int
    cancelled: int
    worked_s: float
    load_s: float
    lost_s: float
    video_s: float
    usd: float
    shared_usd: float

    @property
    def total_usd(self) -> float:
        return self.usd + self.shared_usd

    @property
    def usd_per_video(self) -> float | None:
        """None where no video came out."""
        return self.total_usd / self.completed if self.completed else None


class Report(BaseModel):
    """A month (`2026-11`, UTC). The seconds are instances'; `usd` is what they cost by their prices of the day, without
    storage, requests and traffic. `unattributed_usd` is what instances cost in a month without any job."""

    model_config = ConfigDict(frozen=True)

    month: str
    instances: int
    boot_s: float
    busy_s: float
    idle_s: float
    usd: float
    unattributed_usd: float
    lines: tuple[Line, ...]


def report(month: str, tallies: Iterable[Tally], meters: Iterable[Meter]) -> Report:
    """Lines in the order of their cost, the dearest first."""
    tallied, metered = list(tallies), list(meters)
    jobs_usd, fleet_usd = sum(one.usd for one in tallied), sum(one.usd for one in metered)
    # Jobs that run over the month's end are booked where they end, so the jobs may cost more than the month.
    overhead_usd = max(0.0, fleet_usd - jobs_usd)
    lines = [_line(one, overhead_usd * one.usd / jobs_usd if jobs_usd else 0.0) for one in tallied]
    return Report(
        month=month,
        instances=len(metered),
        boot_s=sum(one.boot_s for one in metered),
        busy_s=sum(one.busy_s for one in metered),
        idle_s=sum(one.idle_s for one in metered),
        usd=fleet_usd,
        unattributed_usd=0.0 if jobs_usd else overhead_usd,
        lines=tuple(sorted(lines, key=lambda line: (-line.total_usd, line.owner, line.model))),
    )


def _line(tally: Tally, shared_usd: float) -> Line:
    fields = tally.model_dump(include=set(Line.model_fields))
    return Line.model_validate({**fields, "shared_usd": shared_usd})
