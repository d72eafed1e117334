"""One delivery of one event to one receiver: its record, its payload, and when to try again. All values, no I/O."""

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from jobs.webhooks.endpoint import Endpoint, disabled
from jobs.webhooks.types import WebhookType

# Seconds from one try to the next, the schedule that Standard Webhooks recommends: 27 hours and 35 minutes in all.
RETRY_AFTER_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
DISABLE_AFTER_S = 5 * 24 * 3600  # of nothing but failures
LOG_LIFETIME_S = 30 * 24 * 3600
GONE = 410  # Standard Webhooks: the receiver wants no more


class _Record(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)


class Message(_Record):
    """What waits in the queue: a body for one receiver. Without `endpoint_id` it is for the job's own `webhook`."""

    version: Literal["1"] = "1"
    id: str
    owner: str
    endpoint_id: str | None = None
    job_id: str
    type: WebhookType
    body: str

    @property
    def receiver(self) -> str:
        return self.endpoint_id or self.job_id


class Try(_Record):
    """One try: when (unix seconds), how long (seconds), and the receiver's status or why there is none."""

    at: float
    seconds: float
    status_code: int | None = None
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300


class Delivery(_Record):
    """The log's entry. `next_try_at` is when it is tried again, if it is."""

    id: str
    receiver: str
    job_id: str
    type: WebhookType
    created_at: float
    status: Literal["pending", "delivered", "failed"] = "pending"
    tries: tuple[Try, ...] = ()
    next_try_at: float | None = None
    reason: str | None = None


def message_id(event_id: str, receiver: str) -> str:
    """The `webhook-id`: the same in every try and repeat, so that a receiver can tell."""
    return "msg_" + hashlib.sha256(f"{event_id}|{receiver}".encode()).hexdigest()[:32]


def payload(kind: WebhookType, *, event_id: str, created_at: int, data: dict[str, Any]) -> str:
    """The body that is sent: OpenAI's event object, whose `data` is the video as the API shows it."""
    name = "evt_" + hashlib.sha256(event_id.encode()).hexdigest()[:32]
    event = {"id": name, "object": "event", "created_at": created_at, "type": kind.value, "data": data}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def after(delivery: Delivery, attempt: Try) -> Delivery:
    """The delivery after a try: delivered, to be tried again, or given up."""
    tries = (*delivery.tries, attempt)
    if attempt.succeeded:
        return delivery.model_copy(update={"tries": tries, "status": "delivered", "next_try_at": None})
    if len(tries) > len(RETRY_AFTER_S) or attempt.status_code == GONE:
        reason = "The receiver is gone." if attempt.status_code == GONE else "All tries failed."
        return delivery.model_copy(update={"tries": tries, "status": "failed", "next_try_at": None, "reason": reason})
    again_at = attempt.at + RETRY_AFTER_S[len(tries) - 1]
    return delivery.model_copy(update={"tries": tries, "next_try_at": again_at})


def given_up(delivery: Delivery, reason: str) -> Delivery:
    """There is nobody to deliver to any more."""
    return delivery.model_copy(update={"status": "failed", "next_try_at": None, "reason": reason})


def endpoint_after(endpoint: Endpoint, attempt: Try) -> Endpoint:
    """The endpoint after a try at it: disabled when it is gone, or has failed for long without a success."""
    if attempt.succeeded:
        return endpoint.model_copy(update={"failing_since": None})
    if endpoint.disabled_at is not None:
        return endpoint
    since = attempt.at if endpoint.failing_since is None else endpoint.failing_since
    failing = endpoint.model_copy(update={"failing_since": since})
    if attempt.status_code == GONE:
        return disabled(failing, "The receiver answered 410 Gone.", now=attempt.at)
    if attempt.at - since >= DISABLE_AFTER_S:
        days = DISABLE_AFTER_S // 86_400
        return disabled(failing, f"Every delivery failed for {days} days.", now=attempt.at)
    return failing
