"""The heartbeat of one attempt: DynamoDB lease and SQS visibility together, and the progress on the way."""

import threading
import time

from botocore.exceptions import ClientError

from gpu_agent.held import HeldJob
from gpu_agent.logs import about_job, logger
from gpu_agent.loops import PASSING_ERRORS
from gpu_agent.source import is_stale
from jobs.errors import FenceLost, WriteContention
from jobs.queue import JobQueues
from jobs.store import JobStore


class Lease:
    """Renews an attempt's lease in a thread of its own until released.

    When another attempt has taken the job, or the lease could not be renewed before it ran out, `held.lost` is set: an
    agent that cannot reach the table must take it that its job is another's by now. A defect ends the thread, and with
    it the agent (`loops.hear_of_deaths`): a job whose lease nobody renews must not run on in silence.
    """

    def __init__(
        self,
        held: HeldJob,
        *,
        store: JobStore,
        queues: JobQueues,
        lease_s: float,
        heartbeat_s: float,
        progress_s: float,
    ) -> None:
        self._held = held
        self._store = store
        self._queues = queues
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._progress_s = progress_s
        self._released = threading.Event()
        self._renewed_s = time.monotonic()
        self._visible_until_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"lease-{held.id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def release(self) -> None:
        """No more heartbeats; the caller settles the record and the message."""
        self._released.set()
        self._held.changed.set()

    def renew(self) -> None:
        """One heartbeat now, with the progress so far. Raises FenceLost and passing errors."""
        self._renew_record()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        with about_job(self._held.job):
            while not self._released.is_set() and not self._held.lost.is_set():
                self._held.changed.clear()
                self._beat()
                # Progress is reported soon, but not more often than the table should be written to.
                if not self._released.wait(self._progress_s):
                    self._held.changed.wait(self._heartbeat_s)

    def _beat(self) -> None:
        began_s = time.monotonic()
        try:
            self._renew_record()
            self._renewed_s = began_s
            self._renew_message(began_s)
        except FenceLost:
            self._lose("another attempt has the job")
        except (*PASSING_ERRORS, WriteContention) as error:
            logger.warning("heartbeat failed", extra={"error": repr(error)})
            if time.monotonic() - self._renewed_s >= self._lease_s:
                self._lose("the lease ran out unrenewed")

    def _renew_record(self) -> None:
        progress = self._held.progress
        answer = self._store.heartbeat(
            self._held.id,
            self._held.attempt,
            lease_s=self._lease_s,
            step=progress.step,
            total_steps=progress.total_steps,
            phase=progress.phase,
            checkpoint_step=progress.checkpoint_step,
        )
        if answer.cancel_requested and not self._held.cancel.is_set():
            logger.info("cancellation asked for")
            self._held.cancel.set()

    def _renew_message(self, now_s: float) -> None:
        # Progress beats are frequent; the message needs no more than the lease does.
        if self._held.message is None or self._visible_until_s - now_s > self._lease_s - self._heartbeat_s:
            return
        try:
            self._queues.extend(self._held.message, int(self._lease_s))
        except ClientError as error:
            if not is_stale(error):
                raise
            # It came back early, to somebody else; the record's lease is what keeps the job ours.
            logger.info("the message is another's now")
            self._held.message = None
        self._visible_until_s = now_s + self._lease_s

    def _lose(self, reason: str) -> None:
        # A released lease fails its last heartbeat by right: the record has been settled.
        if not self._released.is_set():
            logger.warning("attempt lost", extra={"reason": reason})
            self._held.lost.set()
