"""From an event on the bus to requests at the receivers: one message a receiver, each tried on its own."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs import aws
from jobs.addresses import FetchError, Gate
from jobs.errors import JobNotFound, WebhookNotFound
from jobs.events import EventType, WebhookDisabledDetail
from jobs.publish import publish_disabled
from jobs.queue import group_id
from jobs.request import RequestWebhook
from jobs.store import JobStore
from jobs.webhooks import signature
from jobs.webhooks.delivery import Delivery, Message, Try, after, endpoint_after, given_up, message_id, payload
from jobs.webhooks.endpoint import Endpoint
from jobs.webhooks.store import WebhookStore
from jobs.webhooks.types import WebhookType

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

TIMEOUT_S = 10.0  # of one try, with name and TLS; Standard Webhooks says 15 to 30 at most
BY_EVENT: dict[EventType, WebhookType] = {
    kind: WebhookType(f"video.{kind.word}") for kind in EventType if kind is not EventType.PROGRESSED
}
MAX_ANSWER_BYTES = 65_536  # nobody reads it


def queue_name(prefix: str) -> str:
    """The queue of events to be delivered."""
    return f"{prefix}-webhooks"


class Receiver(NamedTuple):
    """Where a delivery goes, and by what it is signed. `endpoint` is None for a request's own webhook."""

    url: str
    secrets: tuple[str, ...]
    endpoint: Endpoint | None


class WebhookQueue:
    """Sends messages to the queue, and hides one until its next try."""

    def __init__(self, prefix: str, *, client: "SQSClient | None" = None) -> None:
        self._name = queue_name(prefix)
        self._given = client
        self._url: str | None = None

    @property
    def client(self) -> "SQSClient":
        return self._given or aws.sqs()

    @property
    def url(self) -> str:
        if self._url is None:
            self._url = self.client.get_queue_url(QueueName=self._name)["QueueUrl"]
        return self._url

    def send(self, message: Message) -> None:
        """One owner's slow receivers do not hold up another's: the group makes it a fair queue."""
        self.client.send_message(
            QueueUrl=self.url, MessageBody=message.model_dump_json(), MessageGroupId=group_id(message.owner)
        )

    def hide(self, receipt_handle: str, seconds: int) -> None:
        """SQS hides a message for 12 hours at most, counted from its receipt."""
        self.client.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
        )


class Dispatcher:
    """Makes messages of events, and tries them."""

    def __init__(self, *, store: WebhookStore, jobs: JobStore, queue: WebhookQueue, gate: Gate, bus: str) -> None:
        self._store = store
        self._jobs = jobs
        self._queue = queue
        self._gate = gate
        self._bus = bus

    def fan_out(self, event: dict[str, Any]) -> int:
        """A message for each receiver of an event of the bus; returns how many. A repeat makes the same again."""
        detail = event["detail"]
        kind = BY_EVENT[EventType(detail["type"])]
        job_id, owner = detail["job"]["id"], detail["owner"]
        receivers = [
            endpoint.id
            for endpoint in self._store.of_owner(owner)
            if endpoint.disabled_at is None and kind in endpoint.event_types
        ]
        own = self._own_webhook(job_id)
        if own is not None and kind in own.event_types:
            receivers.append(job_id)
        created_at = int(datetime.fromisoformat(event["time"]).timestamp())
        body = payload(kind, event_id=detail["event_id"], created_at=created_at, data=detail["job"])
        for receiver in receivers:
            self._queue.send(
                Message(
                    id=message_id(detail["event_id"], receiver),
                    owner=owner,
                    endpoint_id=None if receiver == job_id else receiver,
                    job_id=job_id,
                    type=kind,
                    body=body,
                )
            )
        return len(receivers)

    def deliver(self, message: Message) -> int | None:
        """One try. Returns the seconds until the next, or None if there is to be none."""
        now = self._store.now()
        known = self._store.delivery(message.receiver, message.id)
        delivery = known or Delivery(
            id=message.id, receiver=message.receiver, job_id=message.job_id, type=message.type, created_at=now
        )
        if delivery.status != "pending":
            return None
        if delivery.next_try_at is not None and delivery.next_try_at - now > 1:
            return int(delivery.next_try_at - now)  # a second copy of the message
        receiver = self._receiver(message)
        if receiver is None:
            self._store.log(given_up(delivery, "The webhook is disabled or gone."))
            return None
        attempt = self.attempt(receiver, message.id, message.body.encode())
        delivery = after(delivery, attempt)
        self._store.log(delivery)
        if receiver.endpoint is not None:
            self._record(receiver.endpoint, attempt)
        return None if delivery.next_try_at is None else max(1, int(delivery.next_try_at - self._store.now()))

    def attempt(self, receiver: Receiver, identity: str, body: bytes) -> Try:
        """Send it once. A redirect is an answer like any other that is not 2xx, and is not followed."""
        at = self._store.now()
        headers = signature.headers(identity, body, receiver.secrets, now=at)
        status: int | None = None
        error: str | None = None
        try:
            fetched = self._gate.fetch(
                receiver.url,
                method="POST",
                body=body,
                headers=headers,
                max_bytes=MAX_ANSWER_BYTES,
                timeout_s=TIMEOUT_S,
                max_redirects=0,
            )
            status = fetched.status
        except FetchError as failure:
            error = str(failure)
        return Try(at=at, seconds=round(self._store.now() - at, 3), status_code=status, error=error)

    def test(self, endpoint: Endpoint, kind: WebhookType) -> Try:
        """Send a made-up event now, whether the endpoint is enabled or not; it is neither logged nor retried."""
        now = self._store.now()
        event_id = f"{endpoint.id}:test:{now}"
        data = {"id": "video_00000000000000000000000000", "object": "video", "test": True}
        body = payload(kind, event_id=event_id, created_at=int(now), data=data)
        receiver = Receiver(endpoint.url, endpoint.living_secrets(now), endpoint)
        return self.attempt(receiver, message_id(event_id, endpoint.id), body.encode())

    def _receiver(self, message: Message) -> Receiver | None:
        if message.endpoint_id is None:
            own = self._own_webhook(message.job_id)
            return None if own is None else Receiver(own.url, (own.secret,), None)
        try:
            endpoint = self._store.get(message.owner, message.endpoint_id)
        except WebhookNotFound:
            return None
        if endpoint.disabled_at is not None:
            return None
        return Receiver(endpoint.url, endpoint.living_secrets(self._store.now()), endpoint)

    def _own_webhook(self, job_id: str) -> RequestWebhook | None:
        try:
            return self._jobs.get(job_id).request.webhook
        except JobNotFound:
            return None

    def _record(self, endpoint: Endpoint, attempt: Try) -> None:
        """Note success or failure; an endpoint that this disables is told of first, under an id that repeats share."""
        then = endpoint_after(endpoint, attempt)
        if then == endpoint:
            return
        if then.disabled_at is not None:
            publish_disabled(self._bus, _disabled_detail(then))
        try:
            self._store.change(endpoint.owner, endpoint.id, lambda current: endpoint_after(current, attempt))
        except WebhookNotFound:  # deleted during the try
            return


def _disabled_detail(endpoint: Endpoint) -> WebhookDisabledDetail:
    since = int(endpoint.failing_since or 0)
    return WebhookDisabledDetail(
        event_id=f"{endpoint.id}:disabled:{since}",
        owner=endpoint.owner,
        webhook_id=endpoint.id,
        url=endpoint.url,
        reason=endpoint.disabled_reason or "",
        failing_since=since,
    )


def parse_message(body: str) -> Message | dict[str, Any]:
    """What the queue holds: an event as the bus sent it, or one receiver's message."""
    content = json.loads(body)
    return content if "detail" in content else Message.model_validate(content)
