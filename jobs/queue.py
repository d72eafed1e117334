"""The queues: one SQS queue a model, so that an agent with a model loaded takes that model's jobs.

A message carries the job's id and little else; the table is the truth. `MessageGroupId` on a standard queue makes it
a fair queue: one owner's thousand jobs do not keep another's one waiting.
"""

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from jobs import aws
from jobs.job import Job

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_RECEIVE_WAIT_S = 20  # SQS's limit on long polling


class Body(BaseModel):
    """The body of a job's message."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)

    version: str = "1"
    job_id: str


class Message(NamedTuple):
    """A received message. `job_id` is None if the body is not one of ours: delete it."""

    queue_url: str
    receipt_handle: str
    job_id: str | None
    receive_count: int


class Depth(NamedTuple):
    """SQS's approximate counts: to be received now, and received but not deleted."""

    visible: int
    in_flight: int

    @property
    def total(self) -> int:
        return self.visible + self.in_flight


def queue_name(prefix: str, model: str) -> str:
    """`<prefix>-jobs-<model>`, with dots as dashes: SQS names have none."""
    return f"{prefix}-jobs-{model.replace('.', '-')}"


def group_id(owner: str) -> str:
    """SQS allows 128 characters of ASCII letters, digits and punctuation."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", owner)[:128] or "-"


class JobQueues:
    """Sends and receives jobs' messages; `prefix` is `Settings.queue_prefix`."""

    def __init__(self, prefix: str, *, client: "SQSClient | None" = None) -> None:
        self.prefix = prefix
        self._given = client
        self._urls: dict[str, str] = {}

    @property
    def client(self) -> "SQSClient":
        return self._given or aws.sqs()

    def url(self, model: str) -> str:
        """The queue's URL. Raises botocore's QueueDoesNotExist if the deployment has no queue for the model."""
        if model not in self._urls:
            self._urls[model] = self.client.get_queue_url(QueueName=queue_name(self.prefix, model))["QueueUrl"]
        return self._urls[model]

    @property
    def dead_letters_url(self) -> str:
        """Where jobs end that crash their workers, and messages that nobody ever settles."""
        name = f"{self.prefix}-jobs-dead"
        if name not in self._urls:
            self._urls[name] = self.client.get_queue_url(QueueName=name)["QueueUrl"]
        return self._urls[name]

    def send(self, job: Job) -> None:
        """Put the job's message into its model's queue."""
        self.client.send_message(
            QueueUrl=self.url(job.model),
            MessageBody=Body(job_id=job.id).model_dump_json(),
            MessageGroupId=group_id(job.owner),
        )

    def receive(
        self, model: str, *, wait_s: int = MAX_RECEIVE_WAIT_S, visibility_s: int | None = None
    ) -> Message | None:
        """One message, or None after `wait_s` seconds; it is hidden for `visibility_s` (else the queue's default)."""
        hidden = {} if visibility_s is None else {"VisibilityTimeout": visibility_s}
        answer = self.client.receive_message(
            QueueUrl=self.url(model),
            MaxNumberOfMessages=1,
            WaitTimeSeconds=min(wait_s, MAX_RECEIVE_WAIT_S),
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
            **hidden,  # type: ignore[arg-type]
        )
        for message in answer.get("Messages", []):
            count = int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1"))
            return Message(self.url(model), message["ReceiptHandle"], _job_id(message.get("Body", "")), count)
        return None

    def extend(self, message: Message, visibility_s: int) -> None:
        """Hide the message for `visibility_s` from now on; goes with each heartbeat."""
        self.client.change_message_visibility(
            QueueUrl=message.queue_url, ReceiptHandle=message.receipt_handle, VisibilityTimeout=visibility_s
        )

    def release(self, message: Message) -> None:
        """Give the message back: another agent sees it at once."""
        self.extend(message, 0)

    def delete(self, message: Message) -> None:
        """The message is done with."""
        self.client.delete_message(QueueUrl=message.queue_url, ReceiptHandle=message.receipt_handle)

    def requeue(self, job: Job, message: Message) -> None:
        """After an interruption: a fresh message in place of the old one, so that lost capacity never adds to the
        receive count that leads to the dead-letter queue."""
        self.send(job)
        self.delete(message)

    def bury(self, job: Job, message: Message | None, *, reason: str) -> None:
        """A job that crashes its workers: its message ends in the dead-letter queue, with the reason."""
        url = self.dead_letters_url
        body = {"version": "1", "job_id": job.id, "model": job.model, "reason": reason[:1000]}
        self.client.send_message(QueueUrl=url, MessageBody=json.dumps(body), MessageGroupId=group_id(job.owner))
        if message is not None:
            self.delete(message)

    def depth(self, model: str) -> Depth:
        """How many messages the model's queue holds, approximately."""
        attributes = self.client.get_queue_attributes(
            QueueUrl=self.url(model),
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return Depth(
            int(attributes["ApproximateNumberOfMessages"]), int(attributes["ApproximateNumberOfMessagesNotVisible"])
        )


def _job_id(body: str) -> str | None:
    try:
        return Body.model_validate(json.loads(body)).job_id
    except (json.JSONDecodeError, ValidationError):
        return None
