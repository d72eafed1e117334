"""The part of the OpenAPI description that is about webhooks, and what every operation can answer."""

from typing import Any

from pydantic import BaseModel

from jobs.ids import KEY_ID_PATTERN, WEBHOOK_ID_PATTERN
from jobs.webhooks.endpoint import RotateBody, TestBody, WebhookBody, WebhookUpdate
from lambdas.api.key_views import AuditView, KeyBody, KeyListView, KeyUpdate, KeyView
from lambdas.api.query import DEFAULT_LIMIT, MAX_LIMIT
from lambdas.api.webhook_views import (
    DeliveryListView,
    EventTypesView,
    WebhookDeletedView,
    WebhookListView,
    WebhookTestView,
    WebhookView,
)

BODIES: tuple[type[BaseModel], ...] = (KeyBody, KeyUpdate, RotateBody, TestBody, WebhookBody, WebhookUpdate)
SHOWN: tuple[type[BaseModel], ...] = (
    AuditView,
    KeyListView,
    KeyView,
    DeliveryListView,
    EventTypesView,
    WebhookDeletedView,
    WebhookListView,
    WebhookTestView,
    WebhookView,
)
_CHARGED = {"/v1/videos", "/v1/videos/edits", "/v1/videos/extensions", "/v1/videos/{video_id}/remix"}
_ERRORS = {
    400: "Bad request; `param` names the field",
    401: "No API key, or not a valid one",
    402: "The key's monthly budget does not cover it; the message has the numbers",
    403: "The key lacks the scope that the call needs",
    404: "Not there, or another owner's",
    429: "Too many requests or videos for this key; `retry-after` says when to come again",
    500: "The server had an error",
}


def whole(paths: dict[str, Any]) -> dict[str, Any]:
    """The paths with those of webhooks and keys, each with what every call can answer."""
    webhooks = {**_webhooks("/v1/webhooks", ""), **_webhooks("/v1/webhook_endpoints", "Endpoint"), **_types()}
    found = {**paths, **webhooks, **_keys()}
    for path, operations in found.items():
        for operation in operations.values():
            operation["tags"] = [_group(path)]
            if "security" not in operation:
                _add_common(operation, charged=path in _CHARGED and "requestBody" in operation)
    return found


def _group(path: str) -> str:
    """What the operation is about, as pages and generated clients sort them."""
    part = path.split("/")[2]
    if path.startswith("/v1/videos/characters"):
        return "characters"
    return {"openapi.json": "about", "docs": "about"}.get(part, "webhooks" if part.startswith("webhook") else part)


def _add_common(operation: dict[str, Any], *, charged: bool) -> None:
    """What the key can be refused for, whatever is asked."""
    answers = operation["responses"]
    for status in (401, 403, 429, 500, *((402,) if charged else ())):
        answers.setdefault(str(status), _answer(_ERRORS[status], "ErrorView"))
    operation["responses"] = dict(sorted(answers.items()))


def _keys() -> dict[str, Any]:
    one = [_parameter("key_id", "path", {"type": "string", "pattern": KEY_ID_PATTERN})]
    return {
        "/v1/keys": {
            "post": _operation("createKey", "Make an API key", KeyView, (400,), body=KeyBody),
            "get": _operation("listKeys", "The API keys", KeyListView, ()),
        },
        "/v1/keys/{key_id}": {
            "get": _operation("retrieveKey", "One key and its account", KeyView, (404,), one),
            "post": _operation("updateKey", "Change it", KeyView, (400, 404), one, body=KeyUpdate),
            "delete": _operation("revokeKey", "Revoke it at once", KeyView, (404,), one),
        },
        "/v1/keys/{key_id}/audit": {"get": _operation("auditKey", "What was done by it", AuditView, (404,), one)},
    }


def _webhooks(base: str, suffix: str) -> dict[str, Any]:
    """The same operations stand under two paths: ours, and the one that the openai SDK has."""
    one = [_parameter("webhook_id", "path", {"type": "string", "pattern": WEBHOOK_ID_PATTERN})]
    return {
        base: {
            "post": _operation(f"createWebhook{suffix}", "Tell a URL", WebhookView, (400, 429), body=WebhookBody),
            "get": _operation(f"listWebhooks{suffix}", "The webhooks", WebhookListView, (400,), _page()),
        },
        f"{base}/{{webhook_id}}": {
            "get": _operation(f"retrieveWebhook{suffix}", "One webhook", WebhookView, (404,), one),
            "post": _operation(
                f"updateWebhook{suffix}", "Change it", WebhookView, (400, 404, 429), one, body=WebhookUpdate
            ),
            "delete": _operation(f"deleteWebhook{suffix}", "Delete it", WebhookDeletedView, (404,), one),
        },
        f"{base}/{{webhook_id}}/rotate_secret": {
            "post": _operation(
                f"rotateSecret{suffix}", "A new secret", WebhookView, (400, 404, 429), one, body=RotateBody
            )
        },
        f"{base}/{{webhook_id}}/test": {
            "post": _operation(
                f"testWebhook{suffix}", "Send a made-up event now", WebhookTestView, (400, 404), one, body=TestBody
            )
        },
        f"{base}/{{webhook_id}}/deliveries": {
            "get": _operation(f"listDeliveries{suffix}", "The delivery log", DeliveryListView, (404,), one)
        },
    }


def _types() -> dict[str, Any]:
    types = _operation("webhookEventTypes", "What can be subscribed to", EventTypesView, ())
    return {"/v1/webhook_event_types": {"get": types}}


def _operation(
    name: str,
    summary: str,
    shown: type[BaseModel],
    errors: tuple[int, ...],
    parameters: list[dict[str, Any]] | None = None,
    *,
    body: type[BaseModel] | None = None,
) -> dict[str, Any]:
    statuses = (*errors, 401, 500)
    answers = {"200": _answer(summary, shown.__name__)}
    answers |= {str(status): _answer(_ERRORS[status], "ErrorView") for status in sorted(statuses)}
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "responses": answers}
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}}}
        needed = any(field.is_required() for field in body.model_fields.values())
        operation["requestBody"] = {"required": needed, "content": content}
    return operation


def _answer(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _page() -> list[dict[str, Any]]:
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    return [_parameter("after", "query"), _parameter("limit", "query", limit)]


def _parameter(name: str, where: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": schema or {"type": "string"}}
