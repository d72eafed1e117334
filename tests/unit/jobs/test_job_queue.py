"""The queues through their public door (moto's SQS)."""

import pytest

from jobs.queue import JobQueues, queue_name
from tests.unit.jobs.cloud import PREFIX, Cloud
from tests.unit.jobs.made import queued, request


@pytest.fixture
def queues(cloud: Cloud) -> JobQueues:
    return JobQueues(PREFIX)


def test_given_a_sent_job_when_received_then_the_message_names_it(queues: JobQueues) -> None:
    job = queued()
    queues.send(job)

    message = queues.receive("wan-mini", wait_s=0)

    assert message is not None
    assert (message.job_id, message.receive_count) == (job.id, 1)
    assert queues.receive("wan-mini", wait_s=0) is None


def test_given_a_model_with_dots_then_its_queue_has_dashes(queues: JobQueues) -> None:
    job = queued(request=request(model="wan2.2-t2v-a14b"))

    queues.send(job)

    assert queue_name(PREFIX, job.model) == f"{PREFIX}-jobs-wan2-2-t2v-a14b"
    assert queues.depth(job.model).total == 1


def test_given_a_released_message_then_another_sees_it_at_once(queues: JobQueues) -> None:
    queues.send(queued())
    first = queues.receive("wan-mini", wait_s=0)
    assert first is not None

    queues.release(first)

    again = queues.receive("wan-mini", wait_s=0)
    assert again is not None
    assert again.receive_count == 2


def test_given_a_requeued_job_then_its_receive_count_begins_anew(queues: JobQueues) -> None:
    job = queued()
    queues.send(job)
    first = queues.receive("wan-mini", wait_s=0)
    assert first is not None

    queues.requeue(job, first)

    again = queues.receive("wan-mini", wait_s=0)
    assert again is not None
    assert (again.job_id, again.receive_count) == (job.id, 1)
    assert queues.depth("wan-mini").total == 1


def test_given_a_buried_job_then_the_dead_letter_queue_has_the_reason(queues: JobQueues, cloud: Cloud) -> None:
    job = queued()
    queues.send(job)
    message = queues.receive("wan-mini", wait_s=0)
    assert message is not None

    queues.bury(job, message, reason="SIGSEGV")

    url = cloud.sqs.get_queue_url(QueueName=f"{PREFIX}-jobs-dead")["QueueUrl"]
    body = cloud.sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"]
    assert job.id in body
    assert "SIGSEGV" in body
    assert queues.depth("wan-mini").total == 0


@pytest.mark.parametrize("body", ["", "rubbish", "[]", '{"job_id": 3}', "null", '{"version": "1"}'])
def test_given_a_body_that_is_not_ours_then_it_names_no_job(queues: JobQueues, cloud: Cloud, body: str) -> None:
    cloud.sqs.send_message(QueueUrl=queues.url("wan-mini"), MessageBody=body or " ")

    message = queues.receive("wan-mini", wait_s=0)

    assert message is not None
    assert message.job_id is None


@pytest.mark.parametrize("owner", ["a b", "ação", "x" * 500, "日本"])
def test_given_any_owner_then_the_message_group_is_valid(queues: JobQueues, owner: str) -> None:
    queues.send(queued(owner=owner))

    assert queues.depth("wan-mini").total == 1
