"""Zombies, crashing workers, duplicate messages, an idle fleet."""

import json

from jobs.states import State
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
    autoscaling = aws.client("autoscaling")
    group = f"{aws.prefix}-fleet"
    autoscaling.create_launch_configuration(LaunchConfigurationName=group, ImageId="ami-1", InstanceType="g5.12xlarge")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=group,
        LaunchConfigurationName=group,
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=1,
        AvailabilityZones=["us-east-2a"],
    )

    def describe() -> dict[str, object]:
        answer = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])
        return dict(answer["AutoScalingGroups"][0])

    instances = describe()["Instances"]
    assert isinstance(instances, list)
    job = submit(aws)
    one = agent(instances[0]["InstanceId"], idle_limit_s=2)

    assert one.process.wait(120) == 0

    # It waited for its work, and then for the limit.
    assert ended(aws, job).status is State.COMPLETED
    assert describe()["DesiredCapacity"] == 0
