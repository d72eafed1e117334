"""Zombies, crashing workers, duplicate messages, an idle fleet."""

import json
from typing import Any

from jobs import clock
from jobs.fleet_plan import MarketPlan, PlanRecord, PlanStore, SpendRecord
from jobs.planner import Ledger
from jobs.states import State
from jobs.waiting import wants_on_demand
from tests.chaos.conftest import StartAgent
from tests.chaos.test_agent_interruption import LONG, video_of, wait_for_checkpoint
from tests.chaos.world.agents import AgentProcess, ended, submit, wait_for
from tests.chaos.world.emulator import LocalAws


def test_given_an_agent_paused_past_its_lease_when_it_wakes_then_it_changes_nothing(
    aws: LocalAws, agent: StartAgent
) -> None:
    job = submit(aws, **LONG)
    zombie = agent("i-zombie")
    wait_for_checkpoint(aws, job, at_least=3)
    zombie.pause()
    agent("i-heir")
    done = ended(aws, job)

    zombie.wake()

    wait_for(lambda: zombie.said("attempt lost"), what="the zombie to notice")
    wait_for(lambda: not list(zombie.log.parent.glob(f"scratch/i-zombie/{job.id}*")), what="the zombie to let go")
    assert aws.store().get(job.id) == done
    assert [attempt.instance_id for attempt in done.attempts] == ["i-zombie", "i-heir"]
    video_of(aws, done)
    written = aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix=f"videos/{job.id}/1/")
    assert written.get("Contents", []) == []


def test_given_a_job_that_kills_its_worker_three_times_then_it_fails_with_a_dead_letter_and_others_go_on(
    aws: LocalAws, agent: StartAgent
) -> None:
    poison = submit(aws, **LONG)
    one = agent("i-one", isolate_after=9)
    for crashes in range(3):
        wait_for_start(one, crashes + 1)
        one.workers()[0].kill()

    done = ended(aws, poison)

    assert done.status is State.FAILED
    assert done.error is not None
    assert done.error.code == "worker_crashed"
    assert "signal 9" in done.error.message
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=aws.dead_letters)["QueueUrl"]
    letters = wait_for(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), what="the dead letter")
    assert json.loads(letters[0]["Body"])["job_id"] == poison.id
    assert ended(aws, submit(aws)).status is State.COMPLETED


def wait_for_start(agent: AgentProcess, number: int) -> None:
    wait_for(lambda: len(agent.said("job starts")) >= number, what=f"start {number}")


def test_given_a_message_delivered_twice_then_one_attempt_makes_one_video(aws: LocalAws, agent: StartAgent) -> None:
    job = submit(aws)
    aws.queues().send(job)
    agent("i-one", cpu_slots=2)

    done = ended(aws, job)

    wait_for(lambda: aws.queues().depth("wan-mini").total == 0, what="both messages to be settled")
    assert aws.store().get(job.id) == done
    assert len(done.attempts) == 1


def test_given_an_idle_agent_when_its_limit_is_reached_then_it_ends_its_instance_and_the_group_shrinks(
    aws: LocalAws, agent: StartAgent
) -> None:
    (instance_id,) = group_of(aws, 1)
    job = submit(aws)
    one = agent(instance_id, idle_limit_s=10)

    assert one.process.wait(120) == 0

    # It waited for its work, and then for the limit.
    assert ended(aws, job).status is State.COMPLETED
    assert describe(aws)["DesiredCapacity"] == 0


def test_given_the_planners_order_then_the_job_goes_on_elsewhere_and_its_instance_leaves_the_group(
    aws: LocalAws, agent: StartAgent
) -> None:
    spared_id, kept_id = group_of(aws, 2)
    job = submit(aws, **LONG | {"num_inference_steps": 100})  # orders are looked for every ten seconds
    spared = agent(spared_id, idle_limit_s=300)
    wait_for(lambda: aws.store().get(job.id).step >= 3, what="the third step")

    PlanStore(aws.table, client=aws.client("dynamodb")).put(order_to_leave(spared_id))

    assert spared.process.wait(120) == 0
    agent(kept_id, idle_limit_s=300)
    done = ended(aws, job, timeout_s=300)
    moved, last = done.attempts
    assert (moved.outcome, moved.reason) == ("interrupted", "moved")
    assert moved.last_step == last.resumed_from_step >= 3  # not a step is lost
    assert not wants_on_demand(done.model_copy(update={"attempts": (moved, moved, last)}))
    video_of(aws, done)
    assert describe(aws)["DesiredCapacity"] == 1
    assert [one["InstanceId"] for one in describe(aws)["Instances"]] == [kept_id]


def order_to_leave(instance_id: str) -> PlanRecord:
    spend = SpendRecord(
        month="2026-11", month_usd=0.0, usd_per_hour=0.0, max_usd_per_month=100.0, max_usd_per_hour=10.0, stopped=False
    )
    market = MarketPlan(desired=2, instances=2, usd_per_hour=0.0)
    none = MarketPlan(desired=0, instances=0, usd_per_hour=0.0)
    ledger = Ledger(month="2026-11", usd=0.0, at_s=0.0)
    return PlanRecord(at=clock.now(), spot=market, on_demand=none, spend=spend, ledger=ledger, retire=instance_id)


def group_of(aws: LocalAws, count: int) -> list[str]:
    """An Auto Scaling group with so many instances; their ids."""
    group = f"{aws.prefix}-fleet"
    autoscaling = aws.client("autoscaling")
    autoscaling.create_launch_configuration(LaunchConfigurationName=group, ImageId="ami-1", InstanceType="g5.12xlarge")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=group,
        LaunchConfigurationName=group,
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=count,
        AvailabilityZones=["us-east-2a"],
    )
    return [one["InstanceId"] for one in describe(aws)["Instances"]]


def describe(aws: LocalAws) -> dict[str, Any]:
    names = [f"{aws.prefix}-fleet"]
    return dict(
        aws.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=names)["AutoScalingGroups"][0]
    )
