"""Each minute, and when a job is queued: as many instances as the backlog asks for and the limits allow.

Reads what is, lets `jobs.planner` decide, does it, and keeps the record that the API shows. Never takes away an
instance that is there: idle agents end themselves."""

from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobs import clock
from jobs.fleet import Instance
from jobs.fleet_history import FleetHistory
from jobs.fleet_plan import PlanRecord, PlanStore
from jobs.planner import GroupState, Ledger, Memory, Plan, Situation, advance, plan, warm_minimum
from jobs.settings import settings
from jobs.states import State
from lambdas import services
from lambdas.planner import groups, prices, work
from lambdas.planner.config import PlannerSettings, limits
from lambdas.planner.groups import Group
from lambdas.planner.record import Outcome, rate_usd_per_hour, to_record, to_sample

logger = Logger()
metrics = Metrics(namespace="Revalida")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Returns the fleet's desired capacity, over both markets, before and after."""
    own, now_s = PlannerSettings(), clock.now()
    plans = PlanStore(settings().table)
    last = plans.get()
    spot, on_demand = groups.read(settings().asg_name), groups.read(own.on_demand_asg_name)
    spot_prices = prices.spot_prices(last.prices if last else None, own.priced_types, now_s=now_s)
    by_type = spot_prices.usd_per_hour if spot_prices else {}
    bounds = limits(own, spot_max=spot.max_size, on_demand_max=on_demand.max_size, spot_prices=by_type)
    rate = rate_usd_per_hour(own, by_type, spot, on_demand)
    ledger = advance(last.ledger if last else None, usd_per_hour=rate, now_s=now_s)
    fleet = services.fleet().instances()
    situation = _situation(own, spot, on_demand, ledger, last, now_s, fleet)
    made = plan(situation, bounds)
    groups.resize(spot, desired=made.spot, minimum=made.spot_minimum)
    groups.resize(on_demand, desired=made.on_demand)
    outcome = Outcome(now_s, made, bounds, spot, on_demand, ledger, rate, spot_prices)
    plans.put(to_record(outcome))
    FleetHistory(settings().table).note(to_sample(outcome, situation, fleet))
    failing = any(group.failure for group in (spot, on_demand))
    return _tell(made, spot.desired + on_demand.desired, ledger, rate, failing=failing)


def _situation(
    own: PlannerSettings,
    spot: Group,
    on_demand: Group,
    ledger: Ledger,
    last: PlanRecord | None,
    now_s: float,
    fleet: Sequence[Instance],
) -> Situation:
    running = list(services.store().in_state(State.IN_PROGRESS))

    def state(group: Group) -> GroupState:
        return GroupState(
            desired=group.desired,
            instances=len(group.types),
            busy_s=work.busy_s(running, group.types, now_s=now_s),
            loaded=work.loaded(fleet, group.types),
            failure=group.failure,
        )

    return Situation(
        now_s=now_s,
        backlog=work.backlog(services.store().in_state(State.QUEUED)),
        spot=state(spot),
        on_demand=state(on_demand),
        warm_minimum=warm_minimum(own.warm_windows, now_s),
        month_usd=ledger.usd,
        memory=last.memory.value() if last else Memory(),
    )


def _tell(made: Plan, before: int, ledger: Ledger, rate: float, *, failing: bool) -> dict[str, int]:
    after = made.spot + made.on_demand
    for name, value in (
        ("MonthUsd", ledger.usd),
        ("UsdPerHour", rate),
        ("SpendingStopped", float(made.spending_stopped)),
        ("LaunchesFail", float(failing)),
    ):
        metrics.add_metric(name=name, unit=MetricUnit.NoUnit, value=value)
    if after != before or made.holds:
        logger.info("planned", extra={"before": before, "after": after, "holds": list(made.holds)})
    return {"before": before, "after": after}
