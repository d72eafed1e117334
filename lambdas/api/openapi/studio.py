"""The studio itself: its models, its fleet, its keys, and what tells of the API."""

from typing import Any

from jobs.ids import KEY_ID_PATTERN
from lambdas.api.key_views import AuditView, KeyBody, KeyListView, KeyUpdate, KeyView
from lambdas.api.openapi.parts import Described, in_path, json_body, operation, parameter
from lambdas.api.query import MAX_HISTORY_H
from lambdas.api.views import FleetHistoryView, FleetView, ModelListView, ModelView

MODEL_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


def paths() -> dict[str, Any]:
    """Models, fleet, keys and the description."""
    hours = parameter("hours", "query", {"type": "integer", "minimum": 1, "maximum": MAX_HISTORY_H, "default": 24})
    model = in_path("model_id", MODEL_ID_PATTERN)
    return {
        "/v1/models": {"get": operation("listModels", "The catalog", ModelListView)},
        "/v1/models/{model_id}": {"get": operation("retrieveModel", "One model", ModelView, (404,), [model])},
        "/v1/fleet": {"get": operation("fleet", "Instances and backlog", FleetView)},
        "/v1/fleet/history": {
            "get": operation("fleetHistory", "The fleet over time", FleetHistoryView, (400,), [hours])
        },
        **_keys(),
        "/v1/openapi.json": {"get": _about("openapi", "This document", "application/json", "object")},
        "/v1/docs": {"get": _about("docs", "This document as a page", "text/html", "string")},
    }


def _keys() -> dict[str, Any]:
    one = [in_path("key_id", KEY_ID_PATTERN)]
    return {
        "/v1/keys": {
            "post": operation("createKey", "Make an API key", KeyView, (400,), body=json_body(KeyBody)),
            "get": operation("listKeys", "The API keys", KeyListView),
        },
        "/v1/keys/{key_id}": {
            "get": operation("retrieveKey", "One key and its account", KeyView, (404,), one),
            "post": operation("updateKey", "Change it", KeyView, (400, 404), one, body=json_body(KeyUpdate)),
            "delete": operation("revokeKey", "Revoke it at once", KeyView, (404,), one),
        },
        "/v1/keys/{key_id}/audit": {"get": operation("auditKey", "What was done by it", AuditView, (404,), one)},
    }


def _about(name: str, summary: str, media_type: str, kind: str) -> Described:
    """What tells of the API itself: no key is needed."""
    response = {"description": summary, "content": {media_type: {"schema": {"type": kind}}}}
    return {"operationId": name, "summary": summary, "security": [], "responses": {"200": response}}
