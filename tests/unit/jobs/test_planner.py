"""The planner's decisions one by one: fallback, closing of Spot, failures, spend, warm hours."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jobs.planner import (
    Backlog,
    FailureKind,
    GroupLimits,
    GroupState,
    HoldCode,
    LaunchFailure,
    Ledger,
    Limits,
    Memory,
    Situation,
    WarmWindow,
    advance,
    classify,
    latest_failure,
    plan,
    warm_minimum,
)

NOW = 1_790_000_000.0
LIMITS = Limits(
    spot=GroupLimits(max_instances=4, vcpu_quota=192, usd_per_hour=2.0),
    on_demand=GroupLimits(max_instances=2, vcpu_quota=96, usd_per_hour=6.0),
    max_instances=4,
    vcpus_per_instance=48,
    slots_per_instance=4,
    target_backlog_s=900.0,
    boot_s=180.0,
)


def waiting(jobs: int = 1, each_s: float = 600.0, **changes: object) -> Backlog:
    return replace(Backlog(model="a", jobs=jobs, work_s=jobs * each_s), **changes)  # type: ignore[arg-type]


def at(**changes: object) -> Situation:
    return replace(Situation(now_s=NOW, backlog=(waiting(),)), **changes)  # type: ignore[arg-type]


def test_given_nothing_then_nothing() -> None:
    made = plan(at(backlog=()), LIMITS)

    assert (made.spot, made.on_demand, made.holds) == (0, 0, ())


def test_given_one_job_and_no_instance_then_one_at_once() -> None:
    assert plan(at(), LIMITS).spot == 1


@pytest.mark.parametrize(
    ("jobs", "each_s", "instances"),
    [
        (90, 10.0, 1),  # 90 jobs of ten seconds are one slot's quarter of an hour
        (90, 100.0, 3),  # the same count, ten times the work: 10 slots
        (12, 14_000.0, 3),  # jobs longer than the target: a slot each, and no more
    ],
)
def test_given_the_same_count_then_the_work_decides(jobs: int, each_s: float, instances: int) -> None:
    assert plan(at(backlog=(waiting(jobs, each_s),)), LIMITS).spot == instances


def test_given_a_busy_fleet_then_what_runs_is_not_counted_as_free() -> None:
    soon = GroupState(desired=1, instances=1, busy_s=(60.0, 60.0, 60.0, 60.0))
    late = GroupState(desired=1, instances=1, busy_s=(9000.0, 9000.0, 9000.0, 9000.0))
    backlog = (waiting(4),)

    assert plan(at(spot=soon, backlog=backlog), LIMITS).spot == 1
    assert plan(at(spot=late, backlog=backlog), LIMITS).spot == 2


def test_given_high_priority_then_more_slots_than_for_low() -> None:
    urgent, patient = waiting(12, 600.0, priority=1), waiting(12, 600.0, priority=-1)

    assert plan(at(backlog=(urgent,)), LIMITS).spot > plan(at(backlog=(patient,)), LIMITS).spot


def test_given_weights_that_take_long_to_load_then_they_are_work_too() -> None:
    assert plan(at(backlog=(waiting(4, 890.0, load_s=600.0),)), LIMITS).spot == 1
    assert plan(at(backlog=(waiting(8, 440.0, load_s=450.0),)), LIMITS).spot == 2
    assert plan(at(backlog=(waiting(8, 440.0, load_s=0.0),)), LIMITS).spot == 1


def test_given_a_cancelled_backlog_then_what_never_came_is_taken_back() -> None:
    asked = GroupState(desired=3, instances=1)

    assert plan(at(backlog=(), spot=asked), LIMITS).spot == 1


def test_given_spot_that_starves_then_on_demand_after_the_time_and_spot_again_later() -> None:
    asked = GroupState(desired=1, instances=0)
    first = plan(at(spot=asked), LIMITS)
    waits = plan(at(spot=asked, now_s=NOW + 599, memory=first.memory), LIMITS)
    starved = plan(at(spot=asked, now_s=NOW + 600, memory=waits.memory), LIMITS)
    later = plan(at(now_s=NOW + 600 + 1800, memory=starved.memory), LIMITS)

    assert (first.spot, first.on_demand) == (1, 0)
    assert (waits.spot, waits.on_demand) == (1, 0)
    assert (starved.spot, starved.on_demand) == (0, 1)
    assert HoldCode.NO_CAPACITY in starved.holds
    assert (later.spot, later.on_demand) == (1, 0)


def test_given_spot_that_delivers_one_by_one_then_it_is_not_starving() -> None:
    memory = Memory(unmet_since_s=NOW - 590, spot_instances=1)
    came = plan(at(spot=GroupState(desired=4, instances=2), backlog=(waiting(99),), memory=memory), LIMITS)
    after = plan(
        at(spot=GroupState(desired=4, instances=2), backlog=(waiting(99),), now_s=NOW + 60, memory=came.memory), LIMITS
    )

    assert came.memory.unmet_since_s == NOW
    assert after.on_demand == 0


def test_given_a_job_that_spot_took_twice_then_on_demand_for_it_alone() -> None:
    backlog = (waiting(on_demand_only=True), waiting(8, 900.0))

    made = plan(at(backlog=backlog), LIMITS)

    assert (made.spot, made.on_demand) == (2, 1)


def test_given_on_demand_slots_that_idle_when_ordinary_jobs_come_then_spot_is_asked_while_it_is_open() -> None:
    kept = GroupState(desired=1, instances=1, busy_s=(7200.0,))
    backlog = (waiting(3),)

    is_open = plan(at(on_demand=kept, backlog=backlog), LIMITS)
    closed = plan(at(on_demand=kept, backlog=backlog, memory=Memory(closed_until_s=NOW + 60)), LIMITS)
    marked = plan(at(on_demand=kept, backlog=(waiting(3, on_demand_only=True),)), LIMITS)

    assert (is_open.spot, is_open.on_demand) == (1, 1)
    assert (closed.spot, closed.on_demand) == (0, 1)
    assert (marked.spot, marked.on_demand) == (0, 1)


def test_given_ordinary_jobs_that_spot_does_not_serve_when_time_passes_then_it_starves() -> None:
    asked, kept = GroupState(desired=1), GroupState(desired=1, instances=1, busy_s=(7200.0,))
    first = plan(at(spot=asked, on_demand=kept), LIMITS)

    starved = plan(at(spot=asked, on_demand=kept, now_s=NOW + 600, memory=first.memory), LIMITS)

    assert first.memory.unmet_since_s == NOW
    assert starved.memory.closed_until_s == NOW + 600 + 1800


@pytest.mark.parametrize(
    ("memory", "serves"),
    [
        (Memory(spot_instances=1), True),
        (Memory(spot_instances=1, closed_until_s=NOW), True),
        (Memory(spot_instances=1, closed_until_s=NOW + 1), False),
        (Memory(spot_instances=0, closed_until_s=NOW), False),  # may be asked again, has not delivered
    ],
)
def test_given_a_memory_then_whether_on_demand_leaves_work_to_spot(memory: Memory, serves: bool) -> None:
    assert memory.spot_serves(NOW) is serves


def test_given_a_spot_quota_failure_when_on_demand_stands_in_then_it_does_not_leave_the_work_to_spot() -> None:
    failure = LaunchFailure(kind=FailureKind.QUOTA, at_s=NOW - 60)
    full = GroupState(desired=1, instances=1, busy_s=(7200.0,) * 4, failure=failure)

    made = plan(at(spot=full), LIMITS)

    assert (made.spot, made.on_demand) == (1, 1)
    assert not made.memory.spot_serves(NOW)
    assert made.memory.spot_serves(NOW + 840)


@pytest.mark.parametrize("max_instances", [1, 4])
def test_given_a_marked_job_and_no_on_demand_capacity_when_its_patience_is_over_then_spot(max_instances: int) -> None:
    limits = replace(LIMITS, max_instances=max_instances)
    failure = LaunchFailure(kind=FailureKind.CAPACITY, at_s=NOW - 30)
    refused = GroupState(desired=1, failure=failure)
    job = waiting(on_demand_only=True)

    patient = plan(at(on_demand=refused, backlog=(job,)), limits)
    late = plan(at(on_demand=refused, backlog=(replace(job, patience_is_over=True),)), limits)

    assert (patient.spot, patient.on_demand) == (0, 1)
    assert (late.spot, late.on_demand) == (1, 0)


def test_given_marked_jobs_beyond_on_demands_limit_when_their_patience_is_over_then_spot_for_the_rest() -> None:
    full = GroupState(desired=2, instances=2, busy_s=(7200.0,) * 8)
    jobs = waiting(4, on_demand_only=True)

    patient = plan(at(on_demand=full, backlog=(jobs,)), LIMITS)
    late = plan(at(on_demand=full, backlog=(replace(jobs, patience_is_over=True),)), LIMITS)

    assert (patient.spot, patient.on_demand) == (0, 2)
    assert (late.spot, late.on_demand) == (1, 2)


def test_given_late_marked_jobs_when_on_demand_comes_for_them_then_spot_is_not_asked_too() -> None:
    late = waiting(on_demand_only=True, patience_is_over=True)

    made = plan(at(backlog=(late,)), LIMITS)

    assert (made.spot, made.on_demand) == (0, 1)


@pytest.mark.parametrize(
    ("limits", "hold"),
    [
        (replace(LIMITS, spot=replace(LIMITS.spot, vcpu_quota=96)), HoldCode.VCPU_QUOTA),
        (replace(LIMITS, spot=replace(LIMITS.spot, max_instances=2)), HoldCode.MAX_INSTANCES),
        (replace(LIMITS, max_instances=2), HoldCode.MAX_INSTANCES),
        (replace(LIMITS, max_usd_per_hour=5.0), HoldCode.USD_PER_HOUR),
        (replace(LIMITS, max_usd_per_month=5.0), HoldCode.USD_PER_MONTH),
    ],
)
def test_given_an_instance_that_leaves_when_work_comes_then_its_place_is_free_only_once_it_is_gone(
    limits: Limits, hold: HoldCode
) -> None:
    busy = GroupState(desired=1, instances=1, busy_s=(7200.0,) * 4)

    leaves = plan(at(spot=replace(busy, leaving=1)), limits)
    gone = plan(at(spot=busy), limits)

    assert (leaves.spot, leaves.on_demand, leaves.holds) == (1, 0, (hold,))
    assert (gone.spot, gone.holds) == (2, ())


def test_given_no_on_demand_group_then_its_jobs_are_everybodys() -> None:
    limits = replace(LIMITS, on_demand=replace(LIMITS.on_demand, max_instances=0))

    made = plan(at(backlog=(waiting(on_demand_only=True),)), limits)

    assert (made.spot, made.on_demand) == (1, 0)


def test_given_a_spot_quota_failure_then_on_demand_at_once_until_it_is_time_to_try_again() -> None:
    failure = LaunchFailure(kind=FailureKind.QUOTA, at_s=NOW - 60)
    failed = GroupState(desired=1, failure=failure)

    now, later = plan(at(spot=failed), LIMITS), plan(at(spot=failed, now_s=NOW + 900), LIMITS)

    assert (now.spot, now.on_demand, now.holds) == (0, 1, (HoldCode.LAUNCH_QUOTA,))
    assert later.spot == 1


def test_given_a_broken_launch_template_then_neither_group_launches() -> None:
    failure = LaunchFailure(kind=FailureKind.CONFIGURATION, at_s=NOW - 60)

    made = plan(at(spot=GroupState(desired=1, failure=failure)), LIMITS)

    assert (made.spot, made.on_demand, made.holds) == (0, 0, (HoldCode.LAUNCH_CONFIGURATION,))


def test_given_the_months_limit_then_nothing_is_launched_what_runs_stays_and_it_says_so() -> None:
    limits = replace(LIMITS, max_usd_per_month=100.0)
    running = GroupState(desired=1, instances=1, busy_s=(5000.0,) * 4)

    made = plan(at(spot=running, backlog=(waiting(50),), month_usd=99.0, warm_minimum=1), limits)

    assert (made.spot, made.on_demand, made.spot_minimum) == (1, 0, 0)
    assert made.spending_stopped


def test_given_the_months_limit_and_no_work_then_it_says_so_all_the_same() -> None:
    limits = replace(LIMITS, max_usd_per_month=100.0)

    assert plan(at(backlog=(), month_usd=100.0), limits).spending_stopped
    assert not plan(at(backlog=(), month_usd=99.9), limits).spending_stopped
    free = replace(limits, spot=replace(LIMITS.spot, usd_per_hour=0.0))
    assert plan(at(month_usd=100.0), free).spot == 0


def test_given_an_hourly_limit_then_as_many_as_it_pays_for() -> None:
    made = plan(at(backlog=(waiting(50),)), replace(LIMITS, max_usd_per_hour=5.0))

    assert (made.spot, made.holds) == (2, (HoldCode.USD_PER_HOUR,))


def test_given_warm_hours_then_instances_stand_ready() -> None:
    windows = (WarmWindow(days=(0, 1, 2, 3, 4), from_hour=12, to_hour=21, instances=2),)
    tuesday, sunday = datetime(2026, 11, 24, 12, 0, tzinfo=UTC), datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    assert warm_minimum(windows, tuesday.timestamp()) == 2
    assert warm_minimum(windows, tuesday.replace(hour=21).timestamp()) == 0
    assert warm_minimum(windows, sunday.timestamp()) == 0
    made = plan(at(backlog=(), warm_minimum=2), LIMITS)
    assert (made.spot, made.spot_minimum) == (2, 2)


def test_given_a_window_over_midnight_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="within one day"):
        WarmWindow(from_hour=22, to_hour=2, instances=1)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Could not launch Spot Instances. InsufficientInstanceCapacity - There is no Spot capacity available that "
         "matches your request. Launching EC2 instance failed.", FailureKind.CAPACITY),
        ("Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient "
         "g5.12xlarge capacity in the Availability Zone you requested (us-east-2a).", FailureKind.CAPACITY),
        ("Could not launch Spot Instances. MaxSpotInstanceCountExceeded - Max spot instance count exceeded. Launching "
         "EC2 instance failed.", FailureKind.QUOTA),
        ("Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your "
         "current vCPU limit of 0 allows for the instance bucket", FailureKind.QUOTA),
        ("Your requested instance type (g5.12xlarge) is not supported in your requested Availability Zone "
         "(us-east-2c). Launching EC2 instance failed.", FailureKind.CAPACITY),
        ("Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
         "Server.SpotInstanceTermination: Spot instance termination", FailureKind.CAPACITY),
        ("VolumeLimitExceeded - You have exceeded your maximum gp3 storage limit", FailureKind.QUOTA),
        ("The image id '[ami-0abc]' does not exist. Launching EC2 instance failed.", FailureKind.CONFIGURATION),
        ("You are not authorized to perform this operation.", FailureKind.CONFIGURATION),
        ("Request limit exceeded: RequestLimitExceeded", None),
    ],
)  # fmt: skip
def test_given_aws_words_then_the_kind_of_failure(message: str, kind: FailureKind | None) -> None:
    assert classify(message) is kind


def activity(status: str, message: str = "", description: str = "Launching a new EC2 instance") -> dict[str, object]:
    began = datetime.fromtimestamp(NOW, UTC)
    return {"StatusCode": status, "StatusMessage": message, "Description": description, "StartTime": began}


def test_given_a_groups_activities_then_the_latest_failure_that_nothing_has_mended() -> None:
    failed = activity("Failed", "VcpuLimitExceeded - more vCPU capacity than your limit")
    ended = activity("Successful", description="Terminating EC2 instance: i-1")

    found = latest_failure([activity("InProgress"), ended, failed], now_s=NOW)

    assert found is not None
    assert (found.kind, found.at_s) == (FailureKind.QUOTA, NOW)
    assert latest_failure([activity("Successful"), failed], now_s=NOW) is None
    assert latest_failure([], now_s=NOW) is None
    # Nothing was tried since: an alarm must not ring for the weeks that AWS keeps the activity.
    assert latest_failure([failed], now_s=NOW + 3601) is None


def test_given_a_rate_then_the_ledger_adds_it_up_and_begins_anew_each_month() -> None:
    began = datetime(2026, 11, 30, 23, 0, tzinfo=UTC).timestamp()
    start = advance(None, usd_per_hour=4.0, now_s=began)
    half = advance(start, usd_per_hour=4.0, now_s=began + 1800)
    december = advance(half, usd_per_hour=4.0, now_s=began + 2 * 3600)

    assert start == Ledger(month="2026-11", usd=0.0, at_s=began)
    assert half.usd == pytest.approx(2.0)
    assert december.month == "2026-12"
    assert december.usd == pytest.approx(4.0)
    assert advance(half, usd_per_hour=4.0, now_s=began) == half
