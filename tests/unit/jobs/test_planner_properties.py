"""What holds of the planner for every situation, and of the planner and a fleet together over time."""

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jobs.planner import (
    Backlog,
    FailureKind,
    GroupLimits,
    GroupState,
    LaunchFailure,
    Limits,
    Memory,
    Situation,
    plan,
)
from tests.unit.jobs.fleet_loop import IDLE_LIMIT_S, TICK_S, Loop

VCPUS = 48
seconds = st.floats(min_value=1.0, max_value=20_000.0)
prices = st.floats(min_value=0.1, max_value=10.0)
backlogs = st.builds(
    Backlog,
    model=st.sampled_from(["a", "b"]),
    jobs=st.integers(1, 500),
    work_s=seconds,
    load_s=st.floats(0.0, 120.0),
    priority=st.integers(-1, 1),
    on_demand_only=st.booleans(),
    patience_is_over=st.booleans(),
)
failures = st.none() | st.builds(LaunchFailure, kind=st.sampled_from(FailureKind), at_s=st.floats(0.0, 10_000.0))


@st.composite
def groups(draw: st.DrawFn) -> GroupState:
    instances = draw(st.integers(0, 6))
    busy_s = draw(st.lists(seconds, max_size=instances * 2))
    return GroupState(
        desired=instances + draw(st.integers(0, 3)),
        instances=instances,
        leaving=draw(st.integers(0, 3)),
        busy_s=tuple(busy_s),
        failure=draw(failures),
    )


limits_drawn = st.builds(
    Limits,
    spot=st.builds(GroupLimits, max_instances=st.integers(1, 20), vcpu_quota=st.integers(0, 1000), usd_per_hour=prices),
    on_demand=st.builds(
        GroupLimits, max_instances=st.integers(0, 20), vcpu_quota=st.integers(0, 1000), usd_per_hour=prices
    ),
    max_instances=st.integers(1, 20),
    vcpus_per_instance=st.just(VCPUS),
    slots_per_instance=st.integers(1, 4),
    target_backlog_s=st.floats(60.0, 3600.0),
    boot_s=st.floats(0.0, 600.0),
    max_usd_per_hour=st.floats(0.0, 100.0),
    max_usd_per_month=st.floats(0.0, 5000.0),
)
situations = st.builds(
    Situation,
    now_s=st.floats(10_000.0, 20_000.0),
    backlog=st.lists(backlogs, max_size=4).map(tuple),
    spot=groups(),
    on_demand=groups(),
    warm_minimum=st.integers(0, 5),
    month_usd=st.floats(0.0, 6000.0),
    memory=st.builds(
        Memory, unmet_since_s=st.none() | st.floats(0.0, 10_000.0), closed_until_s=st.floats(0.0, 30_000.0)
    ),
)


@given(situations, limits_drawn)
def test_given_any_situation_then_no_limit_is_passed_by_a_launch(situation: Situation, limits: Limits) -> None:
    made = plan(situation, limits)

    for market, desired in (("spot", made.spot), ("on_demand", made.on_demand)):
        group, own = getattr(situation, market), getattr(limits, market)
        allowed = min(own.max_instances, own.vcpu_quota // VCPUS) - group.leaving
        assert group.instances <= desired <= max(group.instances, allowed)
    there = situation.spot.instances + situation.on_demand.instances
    spot, on_demand = made.spot + situation.spot.leaving, made.on_demand + situation.on_demand.leaving
    if made.spot + made.on_demand > there:
        assert spot + on_demand <= limits.max_instances
        rate = spot * limits.spot.usd_per_hour + on_demand * limits.on_demand.usd_per_hour
        assert rate <= limits.max_usd_per_hour + 1e-6
        assert situation.month_usd + rate * limits.launch_reserve_s / 3600 <= limits.max_usd_per_month + 1e-6
    assert made.spot_minimum <= made.spot


@given(situations, limits_drawn)
def test_given_what_was_asked_for_has_come_then_the_same_backlog_asks_for_no_more(
    situation: Situation, limits: Limits
) -> None:
    assume(not any(entry.on_demand_only for entry in situation.backlog))
    first = plan(situation, limits)
    come = replace(
        situation,
        spot=replace(situation.spot, instances=first.spot, desired=first.spot),
        on_demand=replace(situation.on_demand, instances=first.on_demand, desired=first.on_demand),
        memory=first.memory,
    )

    again = plan(come, limits)

    assert (again.spot, again.on_demand) == (first.spot, first.on_demand)


@given(situations, limits_drawn, st.integers(1, 20))
def test_given_ordinary_work_and_open_spot_then_it_is_served_as_if_on_demand_had_no_slots(
    situation: Situation, limits: Limits, kept: int
) -> None:
    """Agents on demand leave ordinary work to Spot: what idles there serves nobody else."""
    ordinary = tuple(replace(one, on_demand_only=False) for one in situation.backlog)
    rich = replace(limits, max_instances=100, max_usd_per_hour=1e9, max_usd_per_month=1e9)
    alone = replace(
        situation,
        backlog=ordinary,
        spot=replace(situation.spot, failure=None),
        on_demand=GroupState(),
        memory=Memory(),
        warm_minimum=0,
    )
    beside = replace(alone, on_demand=GroupState(desired=kept, instances=kept))

    assert plan(beside, rich).spot == plan(alone, rich).spot


@given(situations, limits_drawn)
def test_given_a_marked_job_whose_patience_is_over_when_on_demand_fails_then_spot_is_asked_or_a_limit_is_named(
    situation: Situation, limits: Limits
) -> None:
    refused = GroupState(desired=1, failure=LaunchFailure(kind=FailureKind.CAPACITY, at_s=situation.now_s - 60))
    late = Backlog(model="a", jobs=1, work_s=60.0, on_demand_only=True, patience_is_over=True)
    waits = Situation(now_s=situation.now_s, backlog=(late,), on_demand=refused, month_usd=situation.month_usd)

    made = plan(waits, limits)

    assert made.spot == 1 or made.holds


@given(situations, limits_drawn, st.integers(1, 100))
def test_given_more_of_the_same_work_then_never_fewer_instances(
    situation: Situation, limits: Limits, more: int
) -> None:
    assume(situation.backlog)
    larger = tuple(replace(one, jobs=one.jobs + more, work_s=one.work_s * 2) for one in situation.backlog)

    # Money goes to on-demand instances first where jobs ask for them, and buys fewer of those than of Spot ones.
    rich = replace(limits, max_usd_per_hour=1e9, max_usd_per_month=1e9)

    few, many = plan(situation, rich), plan(replace(situation, backlog=larger), rich)

    assert many.spot + many.on_demand >= few.spot + few.on_demand


def roomy(**changes: object) -> Limits:
    own = GroupLimits(max_instances=20, vcpu_quota=20 * VCPUS, usd_per_hour=2.0)
    base = Limits(
        spot=own,
        on_demand=replace(own, max_instances=0),
        max_instances=20,
        vcpus_per_instance=VCPUS,
        slots_per_instance=4,
        target_backlog_s=900.0,
        boot_s=180.0,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@settings(max_examples=40)
@given(st.integers(1, 60), st.floats(30.0, 3000.0))
def test_given_a_backlog_and_no_more_arrivals_then_it_drains_and_the_fleet_goes(jobs: int, job_s: float) -> None:
    loop = Loop(limits=roomy(), job_s=job_s, queued=jobs)
    enough_s = 600 + jobs * (job_s + TICK_S) + IDLE_LIMIT_S

    while (loop.queued or loop.sizes[-1:] != [0]) and loop.now_s <= enough_s:
        loop.tick()

    assert loop.queued == 0
    assert loop.sizes[-1] == 0
    assert loop.plans[-1].spot == 0


@settings(max_examples=40)
@given(st.integers(1, 6), st.floats(120.0, 2400.0))
def test_given_constant_load_then_the_fleet_settles_and_does_not_swing(per_minute: int, job_s: float) -> None:
    """Busy slots needed are `per_minute * job_s / 60`; a planner that chases its own tail overshoots and falls back."""
    steady = per_minute * job_s / 60.0
    limits = roomy(max_instances=500, spot=GroupLimits(max_instances=500, vcpu_quota=500 * VCPUS, usd_per_hour=2.0))
    loop = Loop(limits=limits, job_s=job_s)
    for _ in range(600):
        loop.tick(per_minute)

    later = loop.sizes[300:]
    assert max(later) - min(later) <= 1
    assert max(later) <= steady / limits.slots_per_instance * 1.5 + 2


@settings(max_examples=40)
@given(st.floats(1.0, 200.0), st.floats(60.0, 3000.0))
def test_given_a_months_limit_then_the_spend_stays_within_it_plus_what_was_running(
    limit_usd: float, job_s: float
) -> None:
    limits = roomy(max_usd_per_month=limit_usd, launch_reserve_s=3600.0)
    loop = Loop(limits=limits, job_s=job_s)
    for _ in range(600):
        stopped = loop.month_usd >= limit_usd
        loop.tick(0 if stopped else 2)
        if stopped:
            loop.queued = 0  # agents take no new work once the fleet's spending has stopped
    last_jobs_h = (job_s + IDLE_LIMIT_S + 2 * TICK_S) / 3600.0

    assert loop.month_usd <= limit_usd + max(loop.sizes) * 2.0 * last_jobs_h
