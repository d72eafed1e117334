"""Messages of jobs that wait for what is not there yet: looked at by many slots, and in the dead-letter queue never."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gpu_agent import source
from gpu_agent.choice import ChoicePolicy, SlotView
from gpu_agent.orders import FleetOrders
from gpu_agent.source import WorkSource
from jobs.clock import now
from jobs.drop.parse import MAX_ENTRIES
from jobs.items import job_to_item
from jobs.job import Job
from jobs.queue import JobQueues, queue_name
from jobs.store import JobStore
from tests.unit.jobs.cloud import PREFIX, TABLE, Cloud, fake_cloud
from tests.unit.jobs.made import queued, request

MAX_RECEIVES = 10  # cdk.json's `max_receives`
LOOKS = 3 * MAX_RECEIVES


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """With the queue's way to the dead letters, and messages that are hidden for no time."""
    monkeypatch.setattr(source, "MESSAGE_GRACE_S", 0.0)
    with fake_cloud(monkeypatch) as made:
        dead_arn = attributes(made, f"{PREFIX}-jobs-dead")["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": MAX_RECEIVES})
        made.sqs.set_queue_attributes(
            QueueUrl=url(made, queue_name(PREFIX, "wan-mini")), Attributes={"RedrivePolicy": redrive}
        )
        yield made


def url(cloud: Cloud, name: str) -> str:
    return cloud.sqs.get_queue_url(QueueName=name)["QueueUrl"]


def attributes(cloud: Cloud, name: str) -> dict[Any, str]:
    return cloud.sqs.get_queue_attributes(QueueUrl=url(cloud, name), AttributeNames=["All"])["Attributes"]


def dead_letters(cloud: Cloud) -> int:
    return int(attributes(cloud, f"{PREFIX}-jobs-dead")["ApproximateNumberOfMessages"])


def work() -> WorkSource:
    policy = ChoicePolicy()
    return WorkSource(store=JobStore(TABLE), queues=JobQueues(PREFIX), policy=policy, poll_wait_s=0, lease_s=60.0)


def waiting(*, losses: int = 0) -> Job:
    """A job in its queue, after as many attempts whose instance went away."""
    store = JobStore(TABLE)
    job = queued(queued_at=now())
    assert store.create(job)
    for attempt in range(1, losses + 1):
        store.claim(job.id, instance_id="i-spot", slot="0", lease_s=60.0)
        store.interrupt(job.id, attempt, checkpoint_step=0, reason="spot")
    JobQueues(PREFIX).send(job)
    return job


def test_given_a_file_of_a_thousand_jobs_when_another_tenant_asks_for_one_then_it_is_next(
    cloud: Cloud,
) -> None:
    """Priority helps no job that the choice does not see."""
    for _ in range(MAX_ENTRIES):  # not by `create`: the fake AWS takes minutes for its transactions
        cloud.dynamodb.put_item(TableName=TABLE, Item=job_to_item(queued(owner="a", queued_at=now())))
    asked = queued(owner="b", queued_at=now(), request=request(priority="high"))
    assert JobStore(TABLE).create(asked)
    JobQueues(PREFIX).send(asked)

    reserved = work().reserve(SlotView(models=frozenset({"wan-mini"})))

    assert reserved is not None
    assert reserved.job.id == asked.id


def test_given_a_job_that_waits_for_on_demand_when_spot_slots_idle_then_its_message_is_no_dead_letter(
    cloud: Cloud,
) -> None:
    job = waiting(losses=2)
    spot = SlotView(models=frozenset({"wan-mini"}), is_spot=True)

    assert [work().reserve(spot) for _ in range(LOOKS)] == [None] * LOOKS

    assert dead_letters(cloud) == 0
    assert [body["job_id"] for body in cloud.messages()] == [job.id]


def test_given_a_job_that_on_demand_leaves_to_spot_then_its_message_is_no_dead_letter(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FleetOrders, "leaves_to_spot", lambda self, *, is_spot: not is_spot)
    job = waiting()
    on_demand = SlotView(models=frozenset({"wan-mini"}), is_spot=False)

    assert [work().reserve(on_demand) for _ in range(LOOKS)] == [None] * LOOKS

    assert dead_letters(cloud) == 0
    assert [body["job_id"] for body in cloud.messages()] == [job.id]


def test_given_a_job_of_another_release_then_its_message_stays_for_it_and_the_other_job_is_next(cloud: Cloud) -> None:
    unknown, job = waiting(), waiting()
    item = job_to_item(unknown)
    item["request"]["M"]["priority"] = {"S": "in a word of the next release"}
    cloud.dynamodb.put_item(TableName=TABLE, Item=item)
    slot = SlotView(models=frozenset({"wan-mini"}))

    reserved = work().reserve(slot)

    assert reserved is not None
    assert reserved.job.id == job.id
    assert reserved.message is not None
    assert reserved.message.job_id == job.id
    JobStore(TABLE).cancel(job.id, owner=job.owner)
    work().settle(reserved.message)
    assert work().reserve(slot) is None
    assert int(attributes(cloud, queue_name(PREFIX, "wan-mini"))["ApproximateNumberOfMessagesNotVisible"]) == 1


def test_given_the_message_of_a_job_of_another_release_when_it_is_given_back_then_it_stays(cloud: Cloud) -> None:
    unknown = waiting()
    message = JobQueues(PREFIX).receive("wan-mini", wait_s=0)
    item = job_to_item(unknown)
    item["request"]["M"]["priority"] = {"S": "in a word of the next release"}
    cloud.dynamodb.put_item(TableName=TABLE, Item=item)

    work().settle(message)

    assert int(attributes(cloud, queue_name(PREFIX, "wan-mini"))["ApproximateNumberOfMessagesNotVisible"]) == 1


def test_given_a_waiting_job_whose_message_came_with_others_then_giving_it_back_makes_it_no_dead_letter(
    cloud: Cloud,
) -> None:
    job = waiting()
    queues, desk = JobQueues(PREFIX), work()

    for _ in range(LOOKS):
        desk.settle(queues.receive("wan-mini", wait_s=0))

    assert dead_letters(cloud) == 0
    assert [body["job_id"] for body in cloud.messages()] == [job.id]
