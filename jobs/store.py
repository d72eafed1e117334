"""The job table. Every write is conditional on the record being the one that was read (moves: `jobs.transitions`).

One DynamoDB table (`pk`, `sk`), indexes `by_owner` (gsi1pk, gsi1sk) and `by_state` (gsi2pk, gsi2sk), a stream with both
images, TTL on `expires_at`.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import ValidationError

from jobs import aws, clock, items, s3_keys, transitions
from jobs.errors import FenceLost, JobNotFound, WriteContention
from jobs.idempotency import Record, digest
from jobs.ids import is_job_id
from jobs.job import Heartbeat, Job, JobError, Outputs, Phase
from jobs.states import State
from jobs.transaction import put_new, write_new

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_RACES = 10
PAGE = 100
STATE_PAGE = 1_000  # about the megabyte at which DynamoDB ends a page anyway
Order = Literal["asc", "desc"]
_log = logging.getLogger(__name__)


class Page(NamedTuple):
    """One page of a list; `has_more` says whether another follows."""

    jobs: list[Job]
    has_more: bool


class JobStore:
    """Reads and writes jobs. `now` is the clock, given for tests."""

    def __init__(self, table: str, *, client: "DynamoDBClient | None" = None, now: Callable[[], float] = clock.now):
        self.table = table
        self._given = client
        self._now = now

    @property
    def client(self) -> "DynamoDBClient":
        return self._given or aws.dynamodb()

    def create(
        self,
        job: Job,
        *,
        idempotency: dict[str, Any] | None = None,
        unique: bool = True,
        conditions: Sequence[dict[str, Any]] = (),
    ) -> bool:
        """Write a new job, with its idempotency record, what leads from its input to it, and the updates `conditions`
        in the same transaction.

        Returns False, and writes nothing, if that record is there already and must be `unique`. Raises ConditionFailed
        if one of the updates cannot be made."""
        puts = [put_new(self.table, items.job_to_item(job), now=self._now())]
        leads = [items.input_item(key, job.id) for key in s3_keys.own_inputs(job.request)]
        puts += [put_new(self.table, items.marshal(lead), now=None) for lead in leads]
        if idempotency is not None:
            puts.append(put_new(self.table, items.marshal(idempotency), now=self._now() if unique else None))
        return write_new(self.client, puts, conditions, name=job.id)

    def find_idempotency(self, owner: str, key: str) -> Record | None:
        """What a key was used for, if it was."""
        item_key = items.marshal(items.idempotency_key(owner, digest(key)))
        item = self.client.get_item(TableName=self.table, Key=item_key, ConsistentRead=True).get("Item")
        if item is None:
            return None
        values = items.unmarshal(item)
        if values["expires_at"] <= self._now():
            return None
        return Record(values["job_id"], values["fingerprint"])

    def get(self, job_id: str, *, owner: str | None = None) -> Job:
        """The job as last written. Raises JobNotFound, also if it is not `owner`'s."""
        job = self._find(job_id)
        if job is None or (owner is not None and job.owner != owner):
            raise JobNotFound(job_id)
        return job

    def _find(self, job_id: str) -> Job | None:
        item = self._item(job_id)
        return items.job_from_item(item) if item else None

    def _item(self, job_id: str) -> items.Item | None:
        if not is_job_id(job_id):
            return None
        key = items.marshal(items.job_key(job_id))
        return self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")

    def list(
        self,
        owner: str,
        *,
        after: str | None = None,
        limit: int = 20,
        order: Order = "desc",
        status: State | None = None,
        model: str | None = None,
        text: str | None = None,
    ) -> Page:
        """One owner's jobs in order of creation, from after the job `after`. Pages do not shift when jobs arrive.

        `text` is looked for in prompts, metadata and ids, in any case."""
        found: list[Job] = []
        # A filter may pass over thousands: not in pages of two, because the caller wants one.
        page = limit + 1 if status is None and model is None and not text else PAGE
        for job in self._owned(owner, after=after, order=order, page=page):
            wanted = (status is None or job.status is status) and (model is None or job.model == model)
            if wanted and (not text or _mentions(job, text.casefold())):
                found.append(job)
            if len(found) > limit:
                break
        return Page(found[:limit], len(found) > limit)

    def _owned(self, owner: str, *, after: str | None, order: Order, page: int) -> Iterator[Job]:
        start = {**items.job_key(after), **items.owner_key(owner, after)} if after else None
        found = self._query("by_owner", "gsi1pk", f"OWNER#{owner}", start=start, forward=order == "asc", page=page)
        return map(items.job_from_item, found)

    def in_state(self, status: State, *, limit: int | None = None) -> Iterator[Job]:
        """Jobs of a state, oldest first (by the index: an instant behind the table); all, or the first `limit`.

        Those that another release has written so that this one cannot read them are not among them."""
        page = STATE_PAGE if limit is None else min(limit, STATE_PAGE)
        found = self._query("by_state", "gsi2pk", f"STATE#{status}", start=None, forward=True, page=page)
        return islice(_readable(found), limit)

    def queued_of(self, model: str, *, before: str | None = None) -> int:
        """How many jobs of a model are queued; only those older than the job `before`, if it is given."""
        older = "" if before is None else " AND gsi2sk < :id"
        values = {":state": f"STATE#{State.QUEUED}", ":model": model} | ({} if before is None else {":id": before})
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName="by_state",
            KeyConditionExpression=f"gsi2pk = :state{older}",
            FilterExpression="#request.#model = :model",
            ExpressionAttributeNames={"#request": "request", "#model": "model"},
            ExpressionAttributeValues=items.marshal(values),
            Select="COUNT",
        )
        return sum(page["Count"] for page in pages)

    def _query(
        self, index: str, attribute: str, value: str, *, start: dict[str, str] | None, forward: bool, page: int
    ) -> Iterator[items.Item]:
        request: dict[str, Any] = {
            "TableName": self.table,
            "IndexName": index,
            "KeyConditionExpression": f"{attribute} = :value",
            "ExpressionAttributeValues": items.marshal({":value": value}),
            "ScanIndexForward": forward,
            "Limit": page,
        }
        if start is not None:
            request["ExclusiveStartKey"] = items.marshal(start)
        while True:
            answer = self.client.query(**request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def delete(self, job_id: str, *, owner: str) -> Job:
        """Remove the record; an agent at work on it loses its fence. Returns what was there. Raises JobNotFound."""
        self.get(job_id, owner=owner)
        key = items.marshal(items.job_key(job_id))
        gone = self.client.delete_item(TableName=self.table, Key=key, ReturnValues="ALL_OLD").get("Attributes")
        if not gone:
            raise JobNotFound(job_id)
        job = items.job_from_item(gone)
        for own in map(items.input_key, s3_keys.own_inputs(job.request)):
            self.client.delete_item(TableName=self.table, Key=items.marshal(own))
        return job

    # The moves. Those of an attempt raise FenceLost once it is no longer the current one.

    def claim(
        self,
        job_id: str,
        *,
        instance_id: str,
        slot: str,
        lease_s: float,
        usd_per_hour: float | None = None,
        seen: Job | None = None,
        now: float | None = None,
    ) -> Job:
        """A new attempt takes the job, as it was `seen`; `usd_per_hour` is the slot's price.

        Raises NotClaimable, JobNotFound."""

        def move(job: Job, at: float) -> Job:
            return transitions.claim(
                job,
                instance_id=instance_id,
                slot=slot,
                lease_s=lease_s,
                usd_per_hour=usd_per_hour,
                seen=seen,
                now=at,
            )

        return self._change(job_id, move, now=now)

    def heartbeat(
        self,
        job_id: str,
        attempt: int,
        *,
        lease_s: float,
        step: int,
        total_steps: int,
        phase: Phase | None = None,
        checkpoint_step: int | None = None,
    ) -> Heartbeat:
        """Renew the lease, record progress (and the step of a checkpoint now in S3), learn of a cancellation."""

        def move(job: Job, at: float) -> Job:
            return transitions.heartbeat(
                job,
                attempt,
                lease_s=lease_s,
                step=step,
                total_steps=total_steps,
                phase=phase,
                checkpoint_step=checkpoint_step,
                now=at,
            )

        job = self._fenced(job_id, attempt, move)
        return Heartbeat(cancel_requested=job.cancel_requested, lease_expires_at=job.lease_expires_at or 0.0)

    def complete(
        self,
        job_id: str,
        attempt: int,
        *,
        outputs: Outputs,
        seconds_by_phase: dict[str, float],
        cost_usd: float | None,
        total_steps: int | None = None,
    ) -> Job:
        """The one write that makes a video: whoever's attempt is current completes the job, once."""

        def move(job: Job, at: float) -> Job:
            return transitions.complete(
                job,
                attempt,
                outputs=outputs,
                seconds_by_phase=seconds_by_phase,
                cost_usd=cost_usd,
                total_steps=total_steps,
                now=at,
            )

        return self._fenced(job_id, attempt, move)

    def fail(self, job_id: str, attempt: int, error: JobError) -> Job:
        """The job cannot succeed, whoever tries."""
        return self._fenced(job_id, attempt, lambda job, at: transitions.fail(job, attempt, error, now=at))

    def interrupt(self, job_id: str, attempt: int, *, checkpoint_step: int, reason: str) -> Job:
        """Capacity goes away: back to `queued`. The caller then sends the job's message anew."""

        def move(job: Job, at: float) -> Job:
            return transitions.interrupt(job, attempt, checkpoint_step=checkpoint_step, reason=reason, now=at)

        return self._fenced(job_id, attempt, move)

    def record_crash(self, job_id: str, attempt: int, *, reason: str) -> Job:
        """The worker crashed: `queued` again, or `failed` at the third time. The caller looks at `status`."""
        return self._fenced(
            job_id, attempt, lambda job, at: transitions.record_crash(job, attempt, reason=reason, now=at)
        )

    def record_machine_failure(self, job_id: str, attempt: int, *, checkpoint_step: int, reason: str) -> Job:
        """The machine failed under the job: `queued` again, or `failed` once one machine after the other did."""

        def move(job: Job, at: float) -> Job:
            return transitions.record_machine_failure(
                job, attempt, checkpoint_step=checkpoint_step, reason=reason, now=at
            )

        return self._fenced(job_id, attempt, move)

    def redrive(self, job_id: str) -> Job:
        """An operator's second chance for a job that crashed its workers. Raises JobNotFound, NotRedrivable."""
        return self._change(job_id, lambda job, at: transitions.redrive(job, now=at))

    def cancelled(self, job_id: str, attempt: int) -> Job:
        """The agent has stopped a job whose cancellation was asked for."""
        return self._fenced(job_id, attempt, lambda job, at: transitions.cancelled(job, attempt, now=at))

    def cancel(self, job_id: str, *, owner: str) -> Job:
        """The caller's cancel: at once if queued, asked of the agent if running. Raises JobNotFound."""
        self.get(job_id, owner=owner)
        return self._change(job_id, lambda job, at: transitions.cancel(job, now=at))

    def reap(self, job_id: str) -> Job:
        """Queue a job again whose lease ran out; any other is left as it is."""
        return self._change(job_id, lambda job, at: transitions.reap(job, now=at))

    def fail_waiting(self, job_id: str, error: JobError) -> Job:
        """Give up a job that is still queued; any other is left as it is."""
        return self._change(job_id, lambda job, at: transitions.fail_waiting(job, error, now=at))

    def sent(self, job_id: str) -> Job:
        """Note that the job's message went into its queue."""
        return self._change(job_id, lambda job, at: transitions.sent(job, now=at))

    def _fenced(self, job_id: str, attempt: int, move: Callable[[Job, float], Job]) -> Job:
        try:
            return self._change(job_id, move)
        except JobNotFound as gone:
            raise FenceLost(job_id, attempt) from gone

    def _change(self, job_id: str, move: Callable[[Job, float], Job], *, now: float | None = None) -> Job:
        """Read, move, write if nobody wrote in between; else again."""
        for _ in range(MAX_RACES):
            item = self._item(job_id)
            if item is None:
                raise JobNotFound(job_id)
            old = items.job_from_item(item)
            new = move(old, self._now() if now is None else now)
            if new == old:
                return old
            new = new.model_copy(update={"revision": old.revision + 1})
            if self._replace(old, new, item):
                return new
        raise WriteContention(f"{job_id}: {MAX_RACES} races lost")

    def _replace(self, old: Job, new: Job, item: items.Item) -> bool:
        try:
            self.client.put_item(
                TableName=self.table,
                Item=items.job_to_item(new, over=item),
                ConditionExpression="revision = :old",
                ExpressionAttributeValues=items.marshal({":old": old.revision}),
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            # The SDK repeats a write whose answer was lost: the repeat fails although the first one landed.
            return self._find(new.id) == new
        return True


def _readable(found: Iterable[items.Item]) -> Iterator[Job]:
    """The jobs that this release can read: one record of another must stop neither agents nor the planner."""
    for item in found:
        try:
            job = items.job_from_item(item)
        except ValidationError as error:
            # Where it does not fit, but not what stands there: a prompt is its owner's own.
            fields = {".".join(map(str, each["loc"][:2])) for each in error.errors(include_input=False)}
            _log.warning("%s cannot be read by this release: %s", item["pk"]["S"], ", ".join(sorted(fields)))
        else:
            yield job


def _mentions(job: Job, text: str) -> bool:
    texts = (job.id, job.request.prompt, *(shot.prompt for shot in job.request.shots), *job.request.metadata.values())
    return any(text in each.casefold() for each in texts)
