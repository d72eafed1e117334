"""What the planner's record tells agents: whether Spot can be had, whether the money is spent, and who is to leave."""

import time
from collections.abc import Callable

from pydantic import ValidationError

from gpu_agent.logs import logger
from jobs.fleet_plan import PlanRecord, PlanStore

ORDERS_LAST_S = 10.0


class FleetOrders:
    """The planner's record, read at most every ten seconds. Where no planner has run, there are no orders."""

    def __init__(self, plans: PlanStore, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._plans = plans
        self._clock_s = clock_s
        self._read_s = float("-inf")
        self._plan: PlanRecord | None = None

    def spending_is_over(self) -> bool:
        """The month has cost what it may: what runs is finished, nothing new is begun."""
        plan = self._latest()
        if plan is None or plan.spend.max_usd_per_month is None:
            return False
        return plan.spend.month_usd >= plan.spend.max_usd_per_month

    def leaves_to_spot(self, *, is_spot: bool) -> bool:
        """An on-demand instance leaves ordinary work to Spot, for a third of the price, while Spot has instances.

        Which of it runs there all the same, because that costs nothing, the choice of work says."""
        plan = self._latest()
        if is_spot or plan is None or not plan.on_demand.instances:
            return False
        return plan.memory.value().spot_serves(plan.at)

    def retires(self, instance_id: str) -> bool:
        """Its few jobs fit into slots that idle elsewhere: it is to hand them over and leave."""
        plan = self._latest()
        return plan is not None and plan.retire == instance_id

    def _latest(self) -> PlanRecord | None:
        if self._clock_s() - self._read_s >= ORDERS_LAST_S:
            self._plan = self._read()
            self._read_s = self._clock_s()
        return self._plan

    def _read(self) -> PlanRecord | None:
        """The record; as it was read last, where a planner of another release has written what this one cannot read."""
        try:
            return self._plans.get()
        except ValidationError as error:
            logger.warning("the planner's record cannot be read", extra={"error": str(error)})
            return self._plan
