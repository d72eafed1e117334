"""Meters each instance from run to run, and finds those that are paid for without an agent."""

from collections.abc import Iterable, Mapping, Sequence

from jobs.fleet import Instance
from jobs.meters import MeterStore
from jobs.planner import Market, Meter, Sighting, advance_meter
from jobs.planner.ledger import month_of
from lambdas.planner.groups import Group

# Longer than any boot (three minutes) with its retries of the agent's start (five in ten minutes).
SILENT_LIMIT_S = 1200.0


def sightings(
    groups: Iterable[tuple[Market, Group, Mapping[str, float]]],
    fleet: Iterable[Instance],
    *,
    fresh_s: float,
    now_s: float,
) -> list[Sighting]:
    """What is there now; `groups` come with the price an hour of each of their instances, by id."""
    agents = {one.id: one for one in fleet if now_s - one.seen_at <= fresh_s}
    return [
        Sighting(
            instance_id=instance_id,
            kind=group.billed[instance_id],
            market=market,
            usd_per_hour=usd_per_hour,
            slots=len(agents[instance_id].slots) if instance_id in agents else 0,
            busy=sum(slot.job_id is not None for slot in agents[instance_id].slots) if instance_id in agents else 0,
        )
        for market, group, prices in groups
        for instance_id, usd_per_hour in prices.items()
    ]


def meter(store: MeterStore, seen: Sequence[Sighting], *, now_s: float) -> list[Meter]:
    """Advance and keep the meters of what is there; returns them."""
    before = store.of([one.instance_id for one in seen], month=month_of(now_s))
    after = [advance_meter(before.get(one.instance_id), one, now_s=now_s) for one in seen]
    store.put(after)
    return after


def silent(meters: Iterable[Meter], present: Iterable[str]) -> tuple[str, ...]:
    """Of the instances that are not on their way out anyway, those without an agent for too long."""
    there = set(present)
    return tuple(
        sorted(one.instance_id for one in meters if one.instance_id in there and one.silent_s >= SILENT_LIMIT_S)
    )
