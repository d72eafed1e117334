"""Where a slot's work comes from: the table says what waits, the policy chooses, SQS hands over the message.

The table is the truth and the message its token. A message is deleted only when the job that it names has ended, so
a job that has not ended has its message in the queue, seen or hidden. The message that comes with a chosen job may
name another one (SQS knows no priorities): it is held all the same, and settled by what has become of its own job.
"""

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError
from pydantic import ValidationError

from gpu_agent.choice import ChoicePolicy, SlotView, TenantUse, WaitingJob, choose
from gpu_agent.logs import logger
from gpu_agent.loops import PASSING_ERRORS
from gpu_agent.orders import FleetOrders
from jobs.clock import now
from jobs.errors import JobNotFound
from jobs.eta import work_left_s
from jobs.fleet_plan import PlanStore
from jobs.job import Job
from jobs.queue import JobQueues, Message
from jobs.states import State, is_terminal
from jobs.store import JobStore
from jobs.transitions import lease_alive
from jobs.waiting import PRIORITY_LEVELS, wants_on_demand

# What one choice reads. Of those that wait so many that priority and fairness reach past several full files of one
# tenant (1,000 prompts each): about 5 MB, US$ 0.0001 and half a second, spent while the job before still runs.
WAITING_LIMIT = 5_000
RUNNING_LIMIT = 200
MAX_RECEIVES_BEFORE_RENEWAL = 4  # well below the queue's redrive limit: that a job runs or waits is nobody's failure
# The message of a job that has waited for longer is hidden by a dead agent, or lost: the job is taken without it.
MESSAGE_GRACE_S = 20.0
# For how long a job's message is left to agents of the release that can read the job; they take it without one, too.
OTHER_RELEASE_S = 900


# What SQS answers once a message has been received again, or deleted: it is another's to settle.
STALE_CODES = ("ReceiptHandleIsInvalid", "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight")


def is_stale(error: ClientError) -> bool:
    """Whether a receipt handle is of no use any more."""
    return error.response["Error"]["Code"] in STALE_CODES


def _nears_dead_letters(message: Message) -> bool:
    """Whether the message has come so often that it is to be renewed, before SQS takes its job for a hopeless one."""
    return message.receive_count >= MAX_RECEIVES_BEFORE_RENEWAL


@contextmanager
def _unless_stale() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if not is_stale(error):
            raise
        logger.info("another has received the message since")


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """A job to run next, not claimed yet, and the message held for it (None: it could not be had)."""

    job: Job
    message: Message | None


class WorkSource:
    """One agent's way to its work. Slots call it from their own threads."""

    def __init__(
        self, *, store: JobStore, queues: JobQueues, policy: ChoicePolicy, poll_wait_s: int, lease_s: float
    ) -> None:
        self._store = store
        self._queues = queues
        self._policy = policy
        self._poll_wait_s = poll_wait_s
        self._lease_s = lease_s
        self._last_served_s: dict[str, float] = {}
        self._turn = itertools.count()
        self._orders = FleetOrders(PlanStore(store.table, client=store.client))

    def reserve(self, slot: SlotView) -> Reservation | None:
        """Choose the next job for `slot` and get hold of a message; None after a short wait without work."""
        if self._orders.spending_is_over():
            time.sleep(self._poll_wait_s)
            return None
        slot = replace(slot, leaves_to_spot=self._orders.leaves_to_spot(is_spot=slot.is_spot))
        at = now()
        waiting, running = self._look(at)
        chosen = self._choose(waiting, slot, running, at)
        if chosen is None:
            return self._wait_for_message(slot)
        message = self._receive(chosen.model, wait_s=1)
        if message is None and at - max(chosen.queued_at, chosen.lease_expires_at or 0.0) < MESSAGE_GRACE_S:
            return None
        self._last_served_s[chosen.owner] = at
        return Reservation(job=chosen, message=message)

    def settle(self, message: Message | None) -> None:
        """Give back a message, or end it with the job that it names."""
        if message is None:
            return
        with _unless_stale():
            self._settle(message)

    def _end(self, message: Message) -> None:
        with _unless_stale():
            self._queues.delete(message)

    def _settle(self, message: Message) -> None:
        try:
            job = self._job_of(message)
        except ValidationError as error:
            self._leave_to_other_release(message, error)
            return
        if job is None or is_terminal(job.status):
            self._queues.delete(message)
        elif _nears_dead_letters(message):
            self._queues.requeue(job, message)
        elif lease_alive(job, now()):
            self._hide_until_lease_ends(message, job)
        else:
            self._queues.release(message)

    def settle_quietly(self, message: Message | None) -> None:
        """`settle`, but a message that cannot be reached now is left to come back by its own visibility timeout."""
        try:
            self.settle(message)
        except PASSING_ERRORS as error:
            logger.warning("message not settled", extra={"error": repr(error)})

    def send_back(self, job: Job, message: Message | None) -> None:
        """`job` waits again after an interruption or a crash: give it a fresh message, and settle the held one."""
        self._queues.send(job)
        self._store.sent(job.id)
        if message is not None and message.job_id == job.id:
            self._end(message)
        else:
            self.settle(message)

    def bury(self, job: Job, message: Message | None, *, reason: str) -> None:
        """`job` has killed its workers too often: a dead letter with the reason, and the held message settled."""
        self._queues.bury(job, None, reason=reason)
        self.settle(message)

    def _look(self, at: float) -> tuple[list[Job], list[Job]]:
        """Jobs that wait (queued, or with a lease that ran out), and those that run."""
        queued = list(self._store.in_state(State.QUEUED, limit=WAITING_LIMIT))
        in_progress = list(self._store.in_state(State.IN_PROGRESS, limit=RUNNING_LIMIT))
        running = [job for job in in_progress if lease_alive(job, at)]
        abandoned = [job for job in in_progress if not lease_alive(job, at) and not job.cancel_requested]
        return queued + abandoned, running

    def _choose(self, waiting: Iterable[Job], slot: SlotView, running: Iterable[Job], at: float) -> Job | None:
        by_id = {job.id: job for job in waiting}
        use = TenantUse(running=Counter(job.owner for job in running), last_served_s=self._last_served_s)
        chosen = choose(map(waiting_job, by_id.values()), slot, use, self._policy, now_s=at)
        return by_id[chosen.job_id] if chosen else None

    def _wait_for_message(self, slot: SlotView) -> Reservation | None:
        """Nothing waits by the index: long-poll one queue, the loaded model's every other time."""
        others = sorted(slot.models)
        turn = next(self._turn)
        model = slot.loaded if slot.loaded and turn % 2 == 0 else others[turn // 2 % len(others)]
        received = self._receive_any(model, wait_s=self._poll_wait_s)
        if received is None:
            return None
        message, job = received
        at = now()
        if job is None or is_terminal(job.status) or lease_alive(job, at):
            self.settle(message)
            return None
        if self._choose([job], slot, [], at) is None:
            self._leave_to_others(message, job)
            return None
        return Reservation(job=job, message=message)

    def _receive(self, model: str, *, wait_s: int) -> Message | None:
        """A message of the model's queue whose job has not ended; those of ended jobs are deleted on the way."""
        while (received := self._receive_any(model, wait_s=wait_s)) is not None:
            message, job = received
            if job is not None and not is_terminal(job.status):
                return message
            self._queues.delete(message)
        return None

    def _receive_any(self, model: str, *, wait_s: int) -> tuple[Message, Job | None] | None:
        """A message of the model's queue with the job that it names, if there is one, and this release can read it."""
        while (message := self._queues.receive(model, wait_s=wait_s, visibility_s=int(self._lease_s))) is not None:
            try:
                return message, self._job_of(message)
            except ValidationError as error:
                self._leave_to_other_release(message, error)
        return None

    def _leave_to_other_release(self, message: Message, error: ValidationError) -> None:
        logger.warning("a job of another release", extra={"job_id": message.job_id, "problems": error.error_count()})
        self._queues.extend(message, OTHER_RELEASE_S)

    def _hide_until_lease_ends(self, message: Message, job: Job) -> None:
        """A second message of a job that runs: it comes back when the lease could have run out."""
        left_s = (job.lease_expires_at or 0.0) - now()
        self._queues.extend(message, max(1, int(left_s) + 1))

    def _leave_to_others(self, message: Message, job: Job) -> None:
        """The message of a job that this slot may not run: hidden for a while, lest the slot receive it at once."""
        if _nears_dead_letters(message):
            self._queues.requeue(job, message)
        else:
            self._queues.extend(message, int(MESSAGE_GRACE_S))

    def _job_of(self, message: Message) -> Job | None:
        """The job that a message names, None where it is gone. Raises ValidationError for one of another release."""
        if message.job_id is None:
            logger.warning("a message that is none of ours")
            return None
        try:
            return self._store.get(message.job_id)
        except JobNotFound:
            return None


def waiting_job(job: Job) -> WaitingJob:
    """What the policy needs to know of a job record. One that outlived its lease waits since the lease's end."""
    return WaitingJob(
        job_id=job.id,
        model=job.model,
        owner=job.owner,
        queued_at_s=max(job.queued_at, job.lease_expires_at or 0.0),
        priority=PRIORITY_LEVELS[job.request.priority],
        deadline_s=job.request.deadline,
        begun=job.has_begun,
        work_s=work_left_s(job),
        load_s=job.estimate.load_s if job.estimate else 0.0,
        on_demand_only=wants_on_demand(job),
    )
