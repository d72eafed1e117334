"""`/v1/webhooks`, and the same under `/v1/webhook_endpoints`, where the openai SDK looks for it."""

from aws_lambda_powertools.event_handler import Response

from jobs import clock
from jobs.addresses import FetchError
from jobs.errors import RequestError
from jobs.webhooks.endpoint import (
    Endpoint,
    RotateBody,
    TestBody,
    WebhookBody,
    WebhookUpdate,
    new_endpoint,
    rotated,
    updated,
)
from jobs.webhooks.types import WebhookType
from lambdas import webhook_services as services
from lambdas.api.auth import owner_of
from lambdas.api.http import HttpEvent, answer, read_model
from lambdas.api.query import page_query
from lambdas.api.webhook_views import (
    DeliveryListView,
    EventTypesView,
    WebhookDeletedView,
    WebhookListView,
    WebhookTestView,
    delivery_view,
    webhook_view,
)

DELIVERIES_SHOWN = 100


def create(event: HttpEvent) -> Response[str]:
    """A new endpoint. Its signing secret is in this answer and in no other."""
    owner = owner_of(event)
    body = read_model(event, WebhookBody)
    check_url(body.url)
    endpoint = new_endpoint(body, owner=owner, now=clock.now())
    services.store().add(endpoint)
    return _shown(endpoint, with_secret=True)


def list_webhooks(event: HttpEvent) -> Response[str]:
    """The owner's endpoints, newest first."""
    owner = owner_of(event)
    after, limit = page_query(event.query_string_parameters)
    found = [each for each in reversed(services.store().of_owner(owner)) if after is None or each.id < after]
    data = [webhook_view(endpoint) for endpoint in found[:limit]]
    view = WebhookListView(
        data=data,
        has_more=len(found) > limit,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
    )
    return answer(view.model_dump(mode="json"))


def event_types(event: HttpEvent) -> Response[str]:
    """What can be subscribed to."""
    owner_of(event)
    return answer(EventTypesView(data=[kind.value for kind in WebhookType]).model_dump(mode="json"))


def retrieve(event: HttpEvent, webhook_id: str) -> Response[str]:
    """One endpoint."""
    return _shown(services.store().get(owner_of(event), webhook_id))


def update(event: HttpEvent, webhook_id: str) -> Response[str]:
    """Change URL, name or filter; enable it again, or disable it."""
    owner = owner_of(event)
    services.store().get(owner, webhook_id)
    body = read_model(event, WebhookUpdate)
    if body.url is not None:
        check_url(body.url)
    now = clock.now()
    return _shown(services.store().change(owner, webhook_id, lambda current: updated(current, body, now=now)))


def delete(event: HttpEvent, webhook_id: str) -> Response[str]:
    """Remove it; what is still to be delivered to it is given up."""
    services.store().delete(owner_of(event), webhook_id)
    return answer(WebhookDeletedView(id=webhook_id, deleted=True).model_dump(mode="json"))


def rotate_secret(event: HttpEvent, webhook_id: str) -> Response[str]:
    """A new secret; for a day, if asked, deliveries are signed by the old one beside it."""
    owner = owner_of(event)
    services.store().get(owner, webhook_id)
    keep_old = read_model(event, RotateBody).keep_old_secret_active_for_24_hours
    now = clock.now()
    endpoint = services.store().change(owner, webhook_id, lambda current: rotated(current, keep_old=keep_old, now=now))
    return _shown(endpoint, with_secret=True)


def test(event: HttpEvent, webhook_id: str) -> Response[str]:
    """Send a made-up event now, and say what the receiver answered."""
    endpoint = services.store().get(owner_of(event), webhook_id)
    kind = read_model(event, TestBody).event_type
    attempt = services.dispatcher().test(endpoint, kind)
    if attempt.status_code is None:
        raise RequestError(attempt.error or "No answer.", param="url", code="webhook_unreachable")
    view = WebhookTestView(webhook_endpoint_id=endpoint.id, event_type=kind.value, status_code=attempt.status_code)
    return answer(view.model_dump(mode="json"))


def deliveries(event: HttpEvent, webhook_id: str) -> Response[str]:
    """The newest deliveries, with every try."""
    endpoint = services.store().get(owner_of(event), webhook_id)
    found = services.store().deliveries(endpoint.id, limit=DELIVERIES_SHOWN)
    return answer(DeliveryListView(data=[delivery_view(each) for each in found]).model_dump(mode="json"))


def check_url(url: str) -> None:
    """Refuse what must not be reached; it is checked again at each delivery. Raises RequestError."""
    try:
        services.gate().check(url)
    except FetchError as error:
        raise RequestError(str(error), param="url", code="invalid_url") from error


def _shown(endpoint: Endpoint, *, with_secret: bool = False) -> Response[str]:
    view = webhook_view(endpoint, with_secret=with_secret)
    return answer(view.model_dump(mode="json", exclude=set() if with_secret else {"signing_secret"}))
