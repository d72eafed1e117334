"""Domain errors. Each door maps them once: the API to HTTP, the drop folder to receipts."""

from jobs.states import State


class RequestError(Exception):
    """The caller's request cannot be accepted. `param` is the field's path (`shots[1].prompt`), or None."""

    def __init__(self, message: str, *, param: str | None = None, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


class IdempotencyConflict(RequestError):
    """The same idempotency key came with another request."""

    def __init__(self, message: str) -> None:
        super().__init__(message, param="Idempotency-Key", code="idempotency_key_reused")


class JobNotFound(Exception):
    """No such job, or not this owner's: callers cannot tell the two apart."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"No video with id '{job_id}'.")
        self.job_id = job_id


class CharacterNotFound(Exception):
    """No such character, or not this owner's: callers cannot tell the two apart."""


class WebhookNotFound(Exception):
    """No such webhook, or not this owner's."""


class NotClaimable(Exception):
    """The job cannot be claimed now: it has ended, is to be cancelled, is past its deadline, or another attempt has
    it, or had it since."""

    def __init__(self, job_id: str, state: State, *, lease_expires_at: float | None = None) -> None:
        super().__init__(f"{job_id} is {state}")
        self.job_id = job_id
        self.state = state
        self.lease_expires_at = lease_expires_at


class NotRedrivable(Exception):
    """Only a job that failed by crashing its workers can be tried again; the request itself may be at fault else."""

    def __init__(self, job_id: str, state: State, code: str | None) -> None:
        super().__init__(f"{job_id} is {state}" + (f" ({code})" if code else ""))
        self.job_id = job_id


class FenceLost(Exception):
    """The attempt is no longer the current one (or the job is gone): the writer must stop and publish nothing."""

    def __init__(self, job_id: str, attempt: int) -> None:
        super().__init__(f"attempt {attempt} of {job_id} is no longer current")
        self.job_id = job_id
        self.attempt = attempt


class ConditionFailed(Exception):
    """The update `index` of a transaction could not be made: its condition does not hold."""

    def __init__(self, index: int) -> None:
        super().__init__(f"condition {index} does not hold")
        self.index = index


class WriteContention(Exception):
    """A conditional write lost its race too often in a row; the caller may try again later."""
