"""The planner's function: what it reads from AWS, what it does, and the record it leaves."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from jobs import aws, clock
from jobs.fleet_plan import PlanRecord, PlanStore
from jobs.job import Attempt
from jobs.planner import FailureKind, HoldCode
from jobs.waiting import ON_DEMAND_PATIENCE_S
from lambdas import services
from lambdas.planner import groups
from lambdas.planner.handler import handler as planner
from lambdas.planner.prices import dearest_zone
from lambdas.planner.turn import is_needed
from models.estimate import BOOT_S
from tests.unit.jobs.cloud import GROUP, TABLE, Cloud
from tests.unit.jobs.made import T0, queued, request

ON_DEMAND = "fleet-on-demand"
REFUSED = ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "try again"}}, "Any")


def given_group(name: str = GROUP, maximum: int = 2) -> None:
    client = aws.autoscaling()
    client.create_launch_configuration(LaunchConfigurationName=name, ImageId="ami-12345678", InstanceType="g5.12xlarge")
    client.create_auto_scaling_group(
        AutoScalingGroupName=name, LaunchConfigurationName=name, MinSize=0, MaxSize=maximum, DesiredCapacity=0,
        AvailabilityZones=["us-east-2a"],
    )  # fmt: skip


def given_both_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVALIDA_ON_DEMAND_ASG_NAME", ON_DEMAND)
    given_group()
    given_group(ON_DEMAND, maximum=1)


def given_spot_price(monkeypatch: pytest.MonkeyPatch, price: str) -> None:
    at = datetime.fromtimestamp(clock.now(), UTC)
    entry = {"InstanceType": "g5.12xlarge", "AvailabilityZone": "a", "Timestamp": at, "SpotPrice": price}
    monkeypatch.setattr(aws.ec2(), "describe_spot_price_history", lambda **_: {"SpotPriceHistory": [entry]})


def given_jobs(count: int, **changes: Any) -> None:
    for _ in range(count):
        services.store().create(queued(**changes))


def given_a_job_that_spot_took_twice() -> None:
    tries = tuple(
        Attempt(number=n, instance_id="i", slot="0", started_at=1.0, ended_at=2.0, outcome="interrupted")
        for n in (1, 2)
    )
    given_jobs(1, attempts=tries, attempt=2)


def raising(error: Exception) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


def record() -> PlanRecord:
    found = PlanStore(TABLE).get()
    assert found is not None
    return found


def group(name: str = GROUP) -> Any:
    return aws.autoscaling().describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]


def test_given_a_run_then_its_record_has_the_plan_and_the_spend(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: T0)  # in the midst of a month: another begins at zero
    given_group()
    given_spot_price(monkeypatch, "1.50")
    given_jobs(40)
    planner({}, context)
    monkeypatch.setattr(clock, "now", lambda: T0 + 1800)

    planner({}, context)

    kept = record()
    assert (kept.spot.desired, kept.spot.instances, kept.holds) == (2, 2, (HoldCode.MAX_INSTANCES, HoldCode.VCPU_QUOTA))
    assert kept.spend.usd_per_hour == pytest.approx(3.0)
    assert kept.spend.month_usd == pytest.approx(1.5)


def test_given_runs_of_several_minutes_then_the_api_has_a_sample_of_each(
    cloud: Cloud, api: Any, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_group()
    given_spot_price(monkeypatch, "1.50")
    given_jobs(2)
    start = clock.now() // 60 * 60
    for after in (0, 20, 60):
        monkeypatch.setattr(clock, "now", lambda at=start + after: at)
        planner({}, context)

    found = api("GET", "/v1/fleet/history", query={"hours": "1"}).body["data"]

    assert [sample["at"] for sample in found] == [start + 20, start + 60]
    assert (found[-1]["queued"], found[-1]["busy_slots"]) == (2, 0)
    assert found[-1]["usd_per_hour"] > 0
    assert api("GET", "/v1/fleet/history", query={"hours": "0"}).status == 400


def test_given_a_plan_then_the_api_tells_it_and_keeps_the_planners_notes(
    cloud: Cloud, api: Any, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_group()
    given_spot_price(monkeypatch, "1.50")
    assert api("GET", "/v1/fleet").body["plan"] is None
    planner({}, context)

    shown = api("GET", "/v1/fleet").body["plan"]

    assert shown["spend"]["max_usd_per_month"] == 1500
    assert shown["spend"]["stopped"] is False
    assert set(shown) == {"at", "spot", "on_demand", "holds", "failures", "spend"}


def test_given_the_months_limit_then_nothing_is_launched_and_the_record_says_so(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVALIDA_MAX_USD_PER_MONTH", "1.4")
    given_group()
    given_spot_price(monkeypatch, "1.50")
    given_jobs(5)

    assert planner({}, context) == {"before": 0, "after": 0}

    assert record().spend.stopped


def test_given_a_quota_failure_in_the_activities_then_it_is_told_and_on_demand_stands_in(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_both_groups(monkeypatch)
    given_jobs(5)
    words = "MaxSpotInstanceCountExceeded - Max spot instance count exceeded"
    failed = {"StatusCode": "Failed", "StatusMessage": words, "Description": "Launching a new EC2 instance",
              "StartTime": datetime.fromtimestamp(clock.now() - 30, UTC)}  # fmt: skip

    def activities(AutoScalingGroupName: str, MaxRecords: int) -> dict[str, Any]:
        return {"Activities": [failed] if AutoScalingGroupName == GROUP else []}

    monkeypatch.setattr(aws.autoscaling(), "describe_scaling_activities", activities)

    planner({}, context)

    assert (group()["DesiredCapacity"], group(ON_DEMAND)["DesiredCapacity"]) == (0, 1)
    (told,) = record().failures
    assert (told.market, told.kind, told.message) == ("spot", FailureKind.QUOTA, words)


def test_given_a_job_that_spot_took_twice_then_an_on_demand_instance(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_both_groups(monkeypatch)
    given_a_job_that_spot_took_twice()

    planner({}, context)

    assert (group()["DesiredCapacity"], group(ON_DEMAND)["DesiredCapacity"]) == (0, 1)


def test_given_a_size_that_aws_refuses_then_the_other_group_has_its_own_and_the_money_is_on_record(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_both_groups(monkeypatch)
    given_jobs(5)
    given_a_job_that_spot_took_twice()
    set_capacity = aws.autoscaling().set_desired_capacity

    def refusing(**asked: Any) -> None:
        if asked["AutoScalingGroupName"] == GROUP:
            raise REFUSED
        set_capacity(**asked)

    monkeypatch.setattr(aws.autoscaling(), "set_desired_capacity", refusing)

    with pytest.raises(ExceptionGroup, match="keep their sizes"):
        planner({}, context)

    assert (group()["DesiredCapacity"], group(ON_DEMAND)["DesiredCapacity"]) == (0, 1)
    assert record().spot.desired > 0
    assert record().ledger.at_s == record().at


def test_given_a_bucket_that_cannot_be_listed_then_published_models_get_their_instances(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVALIDA_INSTANCE_TYPES", json.dumps(["g5.12xlarge"]))
    services.forget()
    given_group()
    given_jobs(5, request=request(model="wan2.2-t2v-a14b", size="832x480"))
    monkeypatch.setattr(aws.s3(), "get_paginator", raising(REFUSED))

    assert planner({}, context)["after"] > 0


@pytest.mark.parametrize(
    ("waited_s", "desired"),
    [(0.0, (0, 1)), (ON_DEMAND_PATIENCE_S - BOOT_S - 1.0, (0, 1)), (ON_DEMAND_PATIENCE_S - BOOT_S, (1, 0))],
)
def test_given_no_on_demand_capacity_when_a_marked_job_has_waited_out_its_patience_then_spot_runs_it(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch, waited_s: float, desired: tuple[int, int]
) -> None:
    given_both_groups(monkeypatch)
    at = clock.now()
    monkeypatch.setattr(clock, "now", lambda: at)
    failed = {"StatusCode": "Failed", "StatusMessage": "InsufficientInstanceCapacity", "Description": "Launching",
              "StartTime": datetime.fromtimestamp(at - 30, UTC)}  # fmt: skip
    monkeypatch.setattr(
        aws.autoscaling(),
        "describe_scaling_activities",
        lambda AutoScalingGroupName, **_: {"Activities": [failed] if AutoScalingGroupName == ON_DEMAND else []},
    )
    lost = {"instance_id": "i", "slot": "0", "started_at": 1.0, "ended_at": 2.0, "outcome": "interrupted"}
    given_jobs(1, attempts=tuple(Attempt(number=n, **lost) for n in (1, 2)), attempt=2, queued_at=at - waited_s)

    planner({}, context)

    assert (record().spot.desired, record().on_demand.desired) == desired


def test_given_an_instance_that_drains_when_work_comes_then_the_quota_is_not_passed(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_group()
    aws.autoscaling().set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=2)
    drains = group()
    drains["Instances"][0]["LifecycleState"] = "Terminating:Wait"
    answer = {"AutoScalingGroups": [{**drains, "DesiredCapacity": 1}]}
    monkeypatch.setattr(aws.autoscaling(), "describe_auto_scaling_groups", lambda **_: answer)
    given_jobs(40)

    planner({}, context)

    assert (record().spot.desired, record().spot.instances) == (1, 1)
    assert HoldCode.VCPU_QUOTA in record().holds


def test_given_warm_hours_then_the_group_keeps_its_minimum_and_gives_it_up_after(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = [{"days": [0, 1, 2, 3, 4, 5, 6], "from_hour": 0, "to_hour": 24, "instances": 1}]
    given_group()
    monkeypatch.setenv("REVALIDA_WARM_WINDOWS", json.dumps(always))
    planner({}, context)
    assert (group()["MinSize"], group()["DesiredCapacity"]) == (1, 1)

    monkeypatch.setenv("REVALIDA_WARM_WINDOWS", "[]")
    planner({}, context)
    assert (group()["MinSize"], group()["DesiredCapacity"]) == (0, 1)


def given_protected_instances(count: int) -> None:
    aws.autoscaling().update_auto_scaling_group(
        AutoScalingGroupName=GROUP, NewInstancesProtectedFromScaleIn=True, DesiredCapacity=count
    )


def refuse_sizes_as_aws_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake AWS takes any size."""
    client = aws.autoscaling()
    sizes = {"set_desired_capacity": "DesiredCapacity", "update_auto_scaling_group": "MinSize"}

    def checked(call: Any, size: str, **asked: Any) -> None:
        if asked[size] > group()["MaxSize"] or asked[size] < group()["MinSize"] * (size == "DesiredCapacity"):
            raise AssertionError(f"ValidationError: {size} {asked[size]} is beyond the group's bounds")
        call(**asked)

    for name, size in sizes.items():
        monkeypatch.setattr(client, name, partial(checked, getattr(client, name), size))


@pytest.mark.parametrize("warm_instances", [0, 2])
def test_given_busy_instances_when_the_maximum_is_lowered_then_the_planner_keeps_its_record(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch, warm_instances: int
) -> None:
    always = [{"days": [0, 1, 2, 3, 4, 5, 6], "from_hour": 0, "to_hour": 24, "instances": warm_instances}]
    monkeypatch.setenv("REVALIDA_WARM_WINDOWS", json.dumps(always))
    monkeypatch.setenv("REVALIDA_MAX_INSTANCES", "1")
    given_group()
    given_protected_instances(2)
    aws.autoscaling().update_auto_scaling_group(AutoScalingGroupName=GROUP, MaxSize=1)
    refuse_sizes_as_aws_does(monkeypatch)
    given_jobs(2)

    planner({}, context)

    assert (group()["DesiredCapacity"], len(group()["Instances"])) == (1, 2)
    assert record().spot.instances == 2


def test_given_a_group_that_keeps_a_minimum_then_no_less_is_asked_of_it(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_group()
    aws.autoscaling().update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=1, DesiredCapacity=1)
    refuse_sizes_as_aws_does(monkeypatch)

    groups.resize(groups.read(GROUP), desired=0)

    assert group()["DesiredCapacity"] == 1


def test_given_jobs_of_a_model_without_weights_then_nothing_is_launched_for_them_until_they_are_there(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVALIDA_INSTANCE_TYPES", json.dumps(["g5.12xlarge"]))
    services.forget()
    given_group()
    given_jobs(5, request=request(model="wan2.2-t2v-a14b", size="832x480"))

    assert planner({}, context) == {"before": 0, "after": 0}

    cloud.put("weights/wan2.2-t2v-a14b/r1/manifest.json", b"{}")
    services.forget()
    assert planner({}, context)["after"] > 0


def test_given_an_aws_that_tells_no_spot_prices_then_the_list_price_counts(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws.ec2(), "describe_spot_price_history", lambda **_: {"SpotPriceHistory": []})
    monkeypatch.setenv("REVALIDA_MAX_USD_PER_HOUR", "7.9")
    given_group()
    given_jobs(40)

    planner({}, context)

    assert (record().spot.desired, record().spot.usd_per_hour) == (1, 4.0)


def test_given_a_fleet_that_is_free_then_aws_is_asked_for_no_prices(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(**_: Any) -> Any:
        raise AssertionError("asked for prices")

    monkeypatch.setenv("REVALIDA_INSTANCE_USD_PER_HOUR", json.dumps({"g5.12xlarge": 0}))
    monkeypatch.setattr(aws.ec2(), "describe_spot_price_history", asked)
    given_group()
    given_jobs(40)

    assert planner({}, context) == {"before": 0, "after": 2}


def test_given_price_history_then_the_latest_of_each_zone_and_the_dearest_of_them() -> None:
    def entry(zone: str, hour: int, price: str) -> dict[str, Any]:
        at = datetime(2026, 11, 22, hour, tzinfo=UTC)
        return {"InstanceType": "g5.12xlarge", "AvailabilityZone": zone, "Timestamp": at, "SpotPrice": price}

    history = [entry("a", 1, "9.00"), entry("a", 3, "1.80"), entry("b", 2, "2.10"), entry("b", 1, "1.00")]

    assert dearest_zone(history) == {"g5.12xlarge": 2.1}


def woken(at_s: float) -> dict[str, Any]:
    """A batch as SQS hands it to the function."""
    return {"Records": [{"body": "wake", "attributes": {"SentTimestamp": str(int(at_s * 1000))}}]}


def test_given_wakes_close_together_then_a_run_waits_its_turn_and_one_that_saw_all_stands_for_the_rest(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_group()
    given_spot_price(monkeypatch, "1.50")
    began, slept = clock.now(), []
    at = [began]
    monkeypatch.setattr(clock, "now", lambda: at[0])

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        at[0] += seconds

    assert is_needed(woken(began), PlanStore(TABLE), sleep=sleep)  # the first ever: at once
    planner({}, context)
    at[0] = began + 1.0

    assert is_needed(woken(began + 1.0), PlanStore(TABLE), sleep=sleep)  # nobody has seen that job yet
    planner({}, context)
    assert not is_needed(woken(began + 1.5), PlanStore(TABLE), sleep=sleep)  # that run, at five seconds, has
    assert is_needed({}, PlanStore(TABLE), sleep=sleep)  # the minute's tick
    assert slept == [pytest.approx(4.0), pytest.approx(5.0)]
