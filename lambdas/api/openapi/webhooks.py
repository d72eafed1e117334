"""Webhooks: who is told of what, and what came of it."""

from typing import Any

from pydantic import BaseModel

from jobs.ids import WEBHOOK_ID_PATTERN
from jobs.webhooks.endpoint import RotateBody, TestBody, WebhookBody, WebhookUpdate
from lambdas.api.openapi.parts import Described, in_path, json_body, operation, parameter
from lambdas.api.query import DEFAULT_LIMIT, MAX_LIMIT
from lambdas.api.webhook_views import (
    DeliveryListView,
    EventTypesView,
    WebhookDeletedView,
    WebhookListView,
    WebhookTestView,
    WebhookView,
)

_ERRORS = (400, 404)


def paths() -> dict[str, Any]:
    """The same operations under two paths, ours and the one that the openai SDK has; and the types of events."""
    types = operation("webhookEventTypes", "What can be subscribed to", EventTypesView)
    return {
        **_webhooks("/v1/webhooks", ""),
        **_webhooks("/v1/webhook_endpoints", "Endpoint"),
        "/v1/webhook_event_types": {"get": types},
    }


def _webhooks(base: str, suffix: str) -> dict[str, Any]:
    one = [in_path("webhook_id", WEBHOOK_ID_PATTERN)]

    def sent(name: str, summary: str, shown: type[BaseModel], body: type[BaseModel]) -> Described:
        return operation(f"{name}{suffix}", summary, shown, _ERRORS, one, body=json_body(body))

    made = operation(f"createWebhook{suffix}", "Tell a URL", WebhookView, (400,), body=json_body(WebhookBody))
    return {
        base: {
            "post": made,
            "get": operation(f"listWebhooks{suffix}", "The webhooks", WebhookListView, (400,), _page()),
        },
        f"{base}/{{webhook_id}}": {
            "get": operation(f"retrieveWebhook{suffix}", "One webhook", WebhookView, (404,), one),
            "post": sent("updateWebhook", "Change it", WebhookView, WebhookUpdate),
            "delete": operation(f"deleteWebhook{suffix}", "Delete it", WebhookDeletedView, (404,), one),
        },
        f"{base}/{{webhook_id}}/rotate_secret": {"post": sent("rotateSecret", "A new secret", WebhookView, RotateBody)},
        f"{base}/{{webhook_id}}/test": {
            "post": sent("testWebhook", "Send a made-up event now", WebhookTestView, TestBody)
        },
        f"{base}/{{webhook_id}}/deliveries": {
            "get": operation(f"listDeliveries{suffix}", "The delivery log", DeliveryListView, (404,), one)
        },
    }


def _page() -> list[Described]:
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    return [parameter("after", "query"), parameter("limit", "query", limit)]
