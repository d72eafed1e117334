"""What agents make of the planner's record."""

from typing import Any

import pytest
from pydantic import ValidationError

from gpu_agent.choice import ChoicePolicy, SlotView, TenantUse, WaitingJob, choose
from gpu_agent.orders import FleetOrders
from jobs.fleet_plan import MarketPlan, PlannerMemory, PlanRecord, SpendRecord
from jobs.planner import Ledger


class Plans:
    """Stands in for the store; counts how often it is read."""

    def __init__(self, record: PlanRecord | None) -> None:
        self.record = record
        self.reads = 0

    def get(self) -> PlanRecord | None:
        self.reads += 1
        return self.record


def plan(
    *,
    month_usd: float = 0.0,
    spot: int = 1,
    on_demand: int = 0,
    closed_until_s: float = 0.0,
    retire: str | None = None,
) -> PlanRecord:
    return PlanRecord(
        at=1000.0,
        spot=MarketPlan(desired=1, instances=spot, usd_per_hour=2.0),
        on_demand=MarketPlan(desired=on_demand, instances=on_demand, usd_per_hour=6.0),
        spend=SpendRecord(
            month="2026-11", month_usd=month_usd, usd_per_hour=0.0, max_usd_per_month=100.0, max_usd_per_hour=10.0,
            stopped=False,
        ),
        ledger=Ledger(month="2026-11", usd=month_usd, at_s=1000.0),
        memory=PlannerMemory(closed_until_s=closed_until_s, spot_instances=spot),
        retire=retire,
    )  # fmt: skip


def orders(record: PlanRecord | None) -> FleetOrders:
    stand_in: Any = Plans(record)
    return FleetOrders(stand_in)


def test_given_no_planner_then_no_orders() -> None:
    none = orders(None)

    assert not none.spending_is_over()
    assert not none.leaves_to_spot(is_spot=False)


def test_given_an_instance_to_spare_then_it_alone_is_to_leave() -> None:
    assert orders(plan(retire="i-1")).retires("i-1")
    assert not orders(plan(retire="i-1")).retires("i-2")
    assert not orders(plan()).retires("i-1")
    assert not orders(None).retires("i-1")


@pytest.mark.parametrize(("month_usd", "is_over"), [(99.9, False), (100.0, True), (120.0, True)])
def test_given_the_months_spend_then_nothing_new_is_begun_from_the_limit_on(month_usd: float, is_over: bool) -> None:
    assert orders(plan(month_usd=month_usd)).spending_is_over() is is_over


def test_given_an_on_demand_instance_then_it_leaves_work_to_spot_only_while_spot_is_open_and_has_instances() -> None:
    assert orders(plan(on_demand=1)).leaves_to_spot(is_spot=False)
    assert not orders(plan(on_demand=1, closed_until_s=2000.0)).leaves_to_spot(is_spot=False)
    assert not orders(plan(on_demand=1, spot=0)).leaves_to_spot(is_spot=False)  # asked again in a drought
    assert not orders(plan(on_demand=1)).leaves_to_spot(is_spot=True)
    assert not orders(plan(on_demand=0)).leaves_to_spot(is_spot=False)  # a local or a foreign instance


def test_given_many_looks_then_one_read_in_ten_seconds() -> None:
    at = [0.0]
    plans: Any = Plans(plan())
    seen = FleetOrders(plans, clock_s=lambda: at[0])
    for at[0] in (0.0, 5.0, 9.9, 10.0):
        seen.spending_is_over()

    assert plans.reads == 2


def test_given_a_record_of_another_release_then_the_last_one_that_was_understood_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = [0.0]
    plans: Any = Plans(plan(month_usd=120.0))
    seen = FleetOrders(plans, clock_s=lambda: at[0])
    assert seen.spending_is_over()

    def unknown() -> PlanRecord:
        return PlanRecord.model_validate({**plan().model_dump(), "holds": ["a_reason_of_the_next_release"]})

    with pytest.raises(ValidationError):
        unknown()
    monkeypatch.setattr(plans, "get", unknown)
    at[0] = 10.0

    assert seen.spending_is_over()
    assert not seen.retires("i-1")
    assert not FleetOrders(plans).spending_is_over(), "none has been understood: no orders"


def waiting(job_id: str, **changes: Any) -> WaitingJob:
    return WaitingJob(**{"job_id": job_id, "model": "m", "owner": "o", "queued_at_s": 0.0, **changes})


def test_given_a_slot_that_leaves_to_spot_then_it_takes_only_what_spot_must_not() -> None:
    slot = SlotView(models=frozenset({"m"}), is_spot=False, leaves_to_spot=True)
    ordinary, marked = waiting("a"), waiting("b", on_demand_only=True)

    assert choose([ordinary], slot, TenantUse(), ChoicePolicy(), now_s=1.0) is None
    assert choose([ordinary, marked], slot, TenantUse(), ChoicePolicy(), now_s=1.0) == marked


@pytest.mark.parametrize(
    ("work_s", "model", "runs"),
    [(100.0, "m", True), (101.0, "m", False), (70.0, "cold", True), (71.0, "cold", False), (0.0, "m", False)],
)
def test_given_slots_beside_it_that_work_on_then_it_takes_ordinary_work_that_ends_before_them(
    work_s: float, model: str, runs: bool
) -> None:
    slot = SlotView(models=frozenset({"m", "cold"}), loaded="m", is_spot=False, leaves_to_spot=True, kept_s=100.0)
    job = waiting("a", model=model, work_s=work_s, load_s=30.0)

    assert (choose([job], slot, TenantUse(), ChoicePolicy(), now_s=1.0) is job) is runs


def test_given_a_latency_target_then_a_long_job_begins_before_an_older_short_one() -> None:
    slot = SlotView(models=frozenset({"m"}))
    short, long = waiting("a", work_s=100.0), waiting("b", work_s=4000.0, queued_at_s=60.0)
    aims = ChoicePolicy(latency_target_s=4500.0)

    assert choose([short, long], slot, TenantUse(), aims, now_s=100.0) == long
    assert choose([short, long], slot, TenantUse(), ChoicePolicy(), now_s=100.0) == short
