"""A run of the planner as the record that the API shows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jobs.fleet import Instance
from jobs.fleet_history import Sample
from jobs.fleet_plan import FailureRecord, MarketPlan, PlannerMemory, PlanRecord, SpendRecord, SpotPrices
from jobs.planner import Ledger, Limits, Market, Plan, Situation
from lambdas.planner.config import PlannerSettings
from lambdas.planner.groups import Group


class Outcome(NamedTuple):
    """All that one run has found and decided. `rate` is US$ an hour of what is there now."""

    now_s: float
    plan: Plan
    limits: Limits
    spot: Group
    on_demand: Group
    ledger: Ledger
    rate: float
    prices: SpotPrices | None
    silent: tuple[str, ...] = ()


def to_record(run: Outcome) -> PlanRecord:
    """The record to keep."""
    memory = run.plan.memory
    return PlanRecord(
        at=run.now_s,
        spot=_market(run.plan.spot, run.spot, run.limits.spot.usd_per_hour),
        on_demand=_market(run.plan.on_demand, run.on_demand, run.limits.on_demand.usd_per_hour),
        holds=run.plan.holds,
        failures=tuple(_failures(run)),
        spend=SpendRecord(
            month=run.ledger.month,
            month_usd=run.ledger.usd,
            usd_per_hour=run.rate,
            max_usd_per_month=run.limits.max_usd_per_month,
            max_usd_per_hour=run.limits.max_usd_per_hour,
            stopped=run.plan.spending_stopped,
        ),
        ledger=run.ledger,
        memory=PlannerMemory(
            unmet_since_s=memory.unmet_since_s,
            spot_instances=memory.spot_instances,
            closed_until_s=memory.closed_until_s,
        ),
        prices=run.prices,
        retire=run.plan.retire,
        silent=run.silent,
    )


def to_sample(run: Outcome, seen: Situation, fleet: Sequence[Instance]) -> Sample:
    """The run as a point of the fleet's history. A slot is busy while it has a job."""
    slots = [slot for instance in fleet for slot in instance.slots]
    return Sample(
        at=run.now_s,
        queued=sum(each.jobs for each in seen.backlog),
        running=sum(len(group.busy_s) for group in (seen.spot, seen.on_demand)),
        backlog_s=round(sum(each.work_s for each in seen.backlog), 3),
        instances=len(fleet),
        slots=len(slots),
        busy_slots=sum(slot.job_id is not None for slot in slots),
        usd_per_hour=run.rate,
        month_usd=run.ledger.usd,
    )


def prices_of(own: PlannerSettings, spot_prices: Mapping[str, float], group: Group, market: Market) -> dict[str, float]:
    """US$ an hour of each instance that is paid for, by id; a type without a known price counts as the dearest."""
    dearest = max(own.instance_usd_per_hour.values(), default=0.0)
    listed = own.instance_usd_per_hour
    known = {**listed, **spot_prices} if market == "spot" else listed
    return {instance_id: known.get(kind, dearest) for instance_id, kind in group.billed.items()}


def _market(desired: int, group: Group, usd_per_hour: float) -> MarketPlan:
    return MarketPlan(desired=desired, instances=len(group.types), usd_per_hour=usd_per_hour)


def _failures(run: Outcome) -> list[FailureRecord]:
    found: list[tuple[Market, Group]] = [("spot", run.spot), ("on_demand", run.on_demand)]
    return [
        FailureRecord(market=market, kind=group.failure.kind, at=group.failure.at_s, message=group.failure.message)
        for market, group in found
        if group.failure is not None
    ]
