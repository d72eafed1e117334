"""Webhooks as the API shows them: the openai SDK's `webhook_endpoint`, and our fields beside it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from jobs.webhooks.delivery import Delivery
from jobs.webhooks.endpoint import Endpoint


class _Shown(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class WebhookView(_Shown):
    """An endpoint. `signing_secret` is there only when it was just made. Times are unix seconds."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    created_at: int
    updated_at: int
    url: str
    name: str
    event_types: list[str]
    signing_secret: str | None = None
    signing_secret_hint: str
    enabled: bool
    disabled_at: int | None
    disabled_reason: str | None
    failing_since: int | None


class WebhookListView(_Shown):
    """The owner's endpoints, newest first."""

    object: Literal["list"] = "list"
    data: list[WebhookView]
    has_more: bool
    first_id: str | None
    last_id: str | None


class WebhookDeletedView(_Shown):
    """The answer to a deletion."""

    id: str
    deleted: bool
    object: Literal["webhook_endpoint.deleted"] = "webhook_endpoint.deleted"


class WebhookTestView(_Shown):
    """What the receiver answered to a test."""

    object: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
    webhook_endpoint_id: str
    event_type: str
    success: Literal[True] = True
    status_code: int


class TryView(_Shown):
    """One try: when, for how many seconds, and the receiver's status or why there is none."""

    at: int
    seconds: float
    status_code: int | None
    error: str | None


class DeliveryView(_Shown):
    """One event on its way to one receiver; `id` is the `webhook-id` that it is sent under."""

    id: str
    object: Literal["webhook.delivery"] = "webhook.delivery"
    event_type: str
    video_id: str
    status: Literal["pending", "delivered", "failed"]
    created_at: int
    next_try_at: int | None
    reason: str | None
    tries: list[TryView]


class DeliveryListView(_Shown):
    """The newest deliveries of an endpoint."""

    object: Literal["list"] = "list"
    data: list[DeliveryView]


class EventTypesView(_Shown):
    """What can be subscribed to."""

    object: Literal["list"] = "list"
    data: list[str]


def webhook_view(endpoint: Endpoint, *, with_secret: bool = False) -> WebhookView:
    """The endpoint as its owner sees it."""
    secret = endpoint.secrets[0].value
    return WebhookView(
        id=endpoint.id,
        created_at=int(endpoint.created_at),
        updated_at=int(endpoint.updated_at),
        url=endpoint.url,
        name=endpoint.name,
        event_types=[kind.value for kind in endpoint.event_types],
        signing_secret=secret if with_secret else None,
        signing_secret_hint=f"whsec_...{secret[-4:]}",
        enabled=endpoint.disabled_at is None,
        disabled_at=_whole(endpoint.disabled_at),
        disabled_reason=endpoint.disabled_reason,
        failing_since=_whole(endpoint.failing_since),
    )


def delivery_view(delivery: Delivery) -> DeliveryView:
    """The log's entry as its owner sees it."""
    tries = [
        TryView(at=int(one.at), seconds=one.seconds, status_code=one.status_code, error=one.error)
        for one in delivery.tries
    ]
    return DeliveryView(
        id=delivery.id,
        event_type=delivery.type.value,
        video_id=delivery.job_id,
        status=delivery.status,
        created_at=int(delivery.created_at),
        next_try_at=_whole(delivery.next_try_at),
        reason=delivery.reason,
        tries=tries,
    )


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
