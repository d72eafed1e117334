"""Each minute, and when jobs are queued: as many instances as the backlog asks for and the limits allow.

Reads what is, lets `jobs.planner` decide, does it, and keeps the record that the API shows. Never takes away an
instance that is there: idle agents end themselves."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from jobs import clock
from jobs.fleet_history import FleetHistory
from jobs.fleet_plan import PlanStore
from jobs.meters import MeterStore
from jobs.planner import GroupState, Ledger, Memory, Plan, Situation, advance, plan, warm_minimum
from jobs.settings import settings
from lambdas.planner import groups, metering, telling, work
from lambdas.planner.config import limits
from lambdas.planner.groups import Group
from lambdas.planner.look import Look, look
from lambdas.planner.record import Outcome, prices_of, to_record, to_sample
from lambdas.planner.turn import is_needed

logger = Logger()


@logger.inject_lambda_context
@telling.metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Returns the fleet's desired capacity, over both markets, before and after; nothing where no run was needed."""
    plans = PlanStore(settings().table)
    if not is_needed(event, plans):
        return {}
    now_s = clock.now()
    seen = look(plans.get(), now_s=now_s)
    by_type = seen.prices.usd_per_hour if seen.prices else {}
    bounds = limits(seen.own, spot_max=seen.spot.max_size, on_demand_max=seen.on_demand.max_size, spot_prices=by_type)
    spot_usd = prices_of(seen.own, by_type, seen.spot, "spot")
    on_demand_usd = prices_of(seen.own, by_type, seen.on_demand, "on_demand")
    rate = sum((*spot_usd.values(), *on_demand_usd.values()))
    ledger = advance(seen.last.ledger if seen.last else None, usd_per_hour=rate, now_s=now_s)
    situation = _situation(seen, ledger)
    made = plan(situation, bounds)
    there = metering.sightings(
        (("spot", seen.spot, spot_usd), ("on_demand", seen.on_demand, on_demand_usd)),
        seen.fleet,
        fresh_s=work.FRESH_S,
        now_s=now_s,
    )
    meters = metering.meter(MeterStore(settings().table), there, now_s=now_s)
    silent = metering.silent(meters, {**seen.spot.types, **seen.on_demand.types})
    outcome = Outcome(now_s, made, bounds, seen.spot, seen.on_demand, ledger, rate, seen.prices, silent)
    plans.put(to_record(outcome))
    FleetHistory(settings().table).note(to_sample(outcome, situation, seen.fleet))
    telling.tell(seen, outcome)
    _resize(made, seen)
    return _changed(made, seen)


def _resize(made: Plan, seen: Look) -> None:
    """Last of all: the record and the month's money do not hang on what AWS says to a size, nor one group on what it
    says to the other. Raises ExceptionGroup with what was refused; the next run sees what is and asks anew."""
    refused: list[ClientError] = []
    for group, desired, minimum in ((seen.spot, made.spot, made.spot_minimum), (seen.on_demand, made.on_demand, None)):
        try:
            groups.resize(group, desired=desired, minimum=minimum)
        except ClientError as error:
            refused.append(error)
    if refused:
        raise ExceptionGroup("groups keep their sizes", refused)


def _situation(seen: Look, ledger: Ledger) -> Situation:
    return Situation(
        now_s=seen.now_s,
        backlog=work.backlog(seen.queued, now_s=seen.now_s),
        spot=_state(seen, seen.spot),
        on_demand=_state(seen, seen.on_demand),
        warm_minimum=warm_minimum(seen.own.warm_windows, seen.now_s),
        month_usd=ledger.usd,
        memory=seen.last.memory.value() if seen.last else Memory(),
    )


def _state(seen: Look, group: Group) -> GroupState:
    return GroupState(
        desired=group.desired,
        instances=len(group.types),
        leaving=len(group.leaving),
        busy_s=work.busy_s(seen.running, group.types, now_s=seen.now_s),
        loaded=work.loaded(seen.fleet, group.types),
        members=work.members(seen.fleet, seen.running, group.types, now_s=seen.now_s),
        failure=group.failure,
    )


def _changed(made: Plan, seen: Look) -> dict[str, int]:
    before, after = seen.spot.desired + seen.on_demand.desired, made.spot + made.on_demand
    if after != before or made.holds or made.retire:
        told = {"before": before, "after": after, "holds": list(made.holds), "retire": made.retire}
        logger.info("planned", extra=told)
    return {"before": before, "after": after}
