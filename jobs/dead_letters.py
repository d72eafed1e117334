"""Jobs that killed their workers too often: what lies in the dead-letter queue, and how an operator tries one again.

The queue says what was buried and when, the table what has become of it. SQS cannot be browsed: letters are received,
hidden for a moment, and given back.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from jobs.errors import JobNotFound
from jobs.job import Job
from jobs.queue import JobQueues
from jobs.store import JobStore

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HIDDEN_S = 30  # long enough to read the whole queue once
BATCH = 10  # SQS gives ten at a time


class _Body(BaseModel):
    """`JobQueues.bury` writes all of it; a message that SQS itself moved here has the job alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: str
    model: str | None = None
    reason: str | None = None


class DeadLetter(NamedTuple):
    """One letter. `buried_at` in unix seconds; `job` is None where it has been deleted since."""

    job_id: str
    model: str | None
    reason: str | None
    buried_at: float
    receipt_handle: str
    job: Job | None


class NoDeadLetter(Exception):
    """There is no letter for the job."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no dead letter for '{job_id}'")
        self.job_id = job_id


class DeadLetters:
    """The operator's view of one deployment's dead letters."""

    def __init__(self, *, store: JobStore, queues: JobQueues) -> None:
        self._store = store
        self._queues = queues

    def list(self) -> list[DeadLetter]:
        """All letters, oldest first; what is none of ours is passed over. Nothing is taken out."""
        raw = list(self._receive())
        try:
            found = [letter for message in raw if (letter := self._letter(message)) is not None]
        finally:
            for message in raw:
                self._give_back(message)
        return sorted(found, key=lambda letter: (letter.buried_at, letter.job_id))

    def show(self, job_id: str) -> DeadLetter:
        """The newest letter for a job. Raises NoDeadLetter."""
        found = [letter for letter in self.list() if letter.job_id == job_id]
        if not found:
            raise NoDeadLetter(job_id)
        return found[-1]

    def redrive(self, job_id: str) -> Job:
        """Queue the job again for a new attempt, from its beginning and with its crashes forgiven; its letters go.

        Raises JobNotFound, and NotRedrivable for a job that did not fail by crashing its workers."""
        job = self._store.redrive(job_id)
        # Before the letters go: if this fails the sweeper sends the message, and the letters can be removed later.
        self._queues.send(job)
        job = self._store.sent(job_id)
        self._remove(job_id)
        return job

    def discard(self, job_id: str) -> int:
        """Remove a job's letters without trying it again; how many there were."""
        return self._remove(job_id)

    def _remove(self, job_id: str) -> int:
        removed = 0
        for message in list(self._receive()):
            body = _body(message)
            if body is not None and body.job_id == job_id:
                self._queues.client.delete_message(
                    QueueUrl=self._queues.dead_letters_url, ReceiptHandle=message["ReceiptHandle"]
                )
                removed += 1
            else:
                self._give_back(message)
        return removed

    def _receive(self) -> "Iterator[MessageTypeDef]":
        while True:
            batch = self._queues.client.receive_message(
                QueueUrl=self._queues.dead_letters_url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=HIDDEN_S,
                WaitTimeSeconds=0,
                MessageSystemAttributeNames=["SentTimestamp"],
            ).get("Messages", [])
            if not batch:
                return
            yield from batch

    def _give_back(self, message: "MessageTypeDef") -> None:
        self._queues.client.change_message_visibility(
            QueueUrl=self._queues.dead_letters_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )

    def _letter(self, message: "MessageTypeDef") -> DeadLetter | None:
        body = _body(message)
        if body is None:
            return None
        sent_ms = int(message.get("Attributes", {}).get("SentTimestamp", "0"))
        job = self._job(body.job_id)
        reason = body.reason or (job.error.message if job is not None and job.error is not None else None)
        model = body.model or (job.model if job is not None else None)
        return DeadLetter(body.job_id, model, reason, sent_ms / 1000, message["ReceiptHandle"], job)

    def _job(self, job_id: str) -> Job | None:
        try:
            return self._store.get(job_id)
        except JobNotFound:
            return None


def _body(message: "MessageTypeDef") -> _Body | None:
    try:
        return _Body.model_validate(json.loads(message.get("Body", "")))
    except (json.JSONDecodeError, ValidationError):
        return None


if __name__ == "__main__":
    import sys

    from jobs.dead_letter_commands import main

    sys.exit(main())
