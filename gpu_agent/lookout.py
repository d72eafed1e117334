"""Finds a slot its next job ahead of time: reserve it, fetch its inputs, and keep it until the worker is free."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from gpu_agent.choice import SlotView
from gpu_agent.context import Context
from gpu_agent.inputs import InputMissing, Inputs
from gpu_agent.logs import about_job, logger
from gpu_agent.loops import PASSING_ERRORS
from gpu_agent.retrying import may_pass
from gpu_agent.source import Reservation
from gpu_agent.timing import Stopwatch
from gpu_agent.worker.failures import describe, is_disk_error
from models.interface import GenerationRequest

POLL_PAUSE_S = 0.05
STALE_SHARE_OF_LEASE = 0.5


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A reserved job with its inputs on the disk, or with the reason why it cannot have them: a file is `missing`, or
    making them ready went wrong in a way that no other try would mend (`defect`, which its owner reads)."""

    reservation: Reservation
    inputs: Inputs | None
    missing: str | None = None
    defect: str | None = None
    age: Stopwatch


class Lookout:
    """One slot's search for work. `wanted` says whether the slot could start another job soon."""

    def __init__(self, context: Context, *, wanted: Callable[[], bool], view: Callable[[], SlotView]) -> None:
        self._context = context
        self._wanted = wanted
        self._view = view
        self._lock = threading.Lock()
        self._prepared: Prepared | None = None
        self._announced: Prepared | None = None

    def turn(self) -> float:
        """Look once; for a Loop. Raises passing errors, with whatever was reserved given back."""
        if self._prepared is not None:
            self._drop_if_stale()
            return POLL_PAUSE_S
        if not self._wanted() or not self._context.hands.begin_looking():
            return POLL_PAUSE_S
        found = False
        try:
            reservation = self._context.source.reserve(self._view())
            if reservation is not None:
                prepared = self._prepare(reservation)
                found = True
        finally:
            # Counted before the pump can see it, so that it is never in hand without being counted.
            self._context.hands.end_looking(found=found)
        if found:
            with self._lock:
                self._prepared = prepared
        return 0.0 if found else POLL_PAUSE_S

    def unannounced(self) -> GenerationRequest | None:
        """The request of the prepared job, once: for the worker to make ready."""
        with self._lock:
            prepared = self._prepared
            if prepared is None or prepared.inputs is None or prepared is self._announced:
                return None
            self._announced = prepared
            return prepared.inputs.request

    def take(self) -> Prepared | None:
        """The prepared job, which is the caller's from now on."""
        with self._lock:
            prepared, self._prepared = self._prepared, None
            return prepared

    def drop(self) -> None:
        """Give the prepared job back, if there is one."""
        prepared = self.take()
        if prepared is None:
            return
        self._context.source.settle_quietly(prepared.reservation.message)
        self.clear(prepared)

    def clear(self, prepared: Prepared) -> None:
        """Forget a prepared job that was not started."""
        if prepared.inputs is not None:
            shutil.rmtree(prepared.inputs.directory, ignore_errors=True)
        self._context.hands.drop_reservation()

    def _prepare(self, reservation: Reservation) -> Prepared:
        job = reservation.job
        inputs, missing, defect = None, None, None
        with about_job(job, attempt=job.attempt + 1):
            try:
                inputs = self._context.fetcher.fetch(job)
                logger.info("reserved", extra={"model": job.model, "resume_step": inputs.resume_step})
            except InputMissing as error:
                missing = str(error)
            except PASSING_ERRORS as error:
                if _is_not_the_jobs(error):
                    self._context.source.settle_quietly(reservation.message)
                    raise
                # Fetched again and again, it would keep its owner's later jobs waiting behind it.
                logger.exception("inputs refused")
                defect = _told(error)
            except Exception as error:  # noqa: BLE001 - what one user sent must not end this agent, and then the next
                logger.exception("inputs not made ready")
                defect = describe(error)
        return Prepared(reservation=reservation, inputs=inputs, missing=missing, defect=defect, age=Stopwatch())

    def _drop_if_stale(self) -> None:
        with self._lock:
            prepared = self._prepared
        limit_s = self._context.settings.lease_s * STALE_SHARE_OF_LEASE
        if prepared is not None and (prepared.age.seconds() > limit_s or self._context.hands.cordoned):
            self.drop()


def _is_not_the_jobs(error: Exception) -> bool:
    """Whether time or another machine may do better. The system's errors have a number: a full disk, too many open
    files; one of a picture that nobody can read has none."""
    return may_pass(error) or is_disk_error(error) or (isinstance(error, OSError) and error.errno is not None)


def _told(error: Exception) -> str:
    """For the job's owner: AWS's own words name accounts, roles and keys, others folders; the log alone has those."""
    name = type(error).__name__
    if isinstance(error, ClientError):
        return f"{name}: {error.operation_name} was refused with {error.response['Error']['Code']}"
    return f"{name}: an input cannot be read"
