"""The OpenAPI 3.1 description, made from the models that check and show: `python -m lambdas.api.openapi` writes
`docs/openapi.json`."""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from jobs.character import CharacterBody, ReviewBody
from jobs.character_view import (
    CharacterDeletedView,
    CharacterListView,
    CharacterView,
    PictureListView,
    TrainingView,
)
from jobs.ids import CHARACTER_ID_PATTERN, JOB_ID_PATTERN
from jobs.request import EditBody, RemixBody, RequestBody
from jobs.s3_keys import ASSETS
from jobs.states import State
from jobs.training import TrainingBody
from jobs.uploads import UploadBody, UploadView
from jobs.view import VideoView
from lambdas.api.openapi_admin import BODIES, SHOWN, whole
from lambdas.api.openapi_forms import form_schema
from lambdas.api.query import DEFAULT_LIMIT, MAX_HISTORY_H, MAX_LIMIT, MAX_SEARCH_CHARS
from lambdas.api.refusals import table
from lambdas.api.views import (
    ContentView,
    ErrorView,
    EstimateView,
    FleetHistoryView,
    FleetView,
    ModelListView,
    ModelView,
    VideoDeletedView,
    VideoListView,
)

MODEL_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
PATH = Path(__file__).parents[2] / "docs" / "openapi.json"
_SHOWN: tuple[type[BaseModel], ...] = (
    CharacterDeletedView,
    CharacterListView,
    CharacterView,
    ContentView,
    ErrorView,
    EstimateView,
    FleetHistoryView,
    FleetView,
    ModelListView,
    ModelView,
    PictureListView,
    TrainingView,
    UploadView,
    VideoDeletedView,
    VideoListView,
    VideoView,
)
_BODIES: tuple[type[BaseModel], ...] = (
    RequestBody,
    RemixBody,
    EditBody,
    CharacterBody,
    ReviewBody,
    TrainingBody,
    UploadBody,
)
_ABOUT = """The OpenAI Videos dialect, and what it lacks: cancel, quotes, ETA, cost, multi-shot.

Errors are always `{"error": {message, type, param, code}}`; `param` names the field, and `code` is one of these:

"""
_ERRORS = {
    400: "Bad request; `param` names the field",
    401: "No API key, or not a valid one",
    404: "Not there, or another owner's",
    422: "The idempotency key came with another request before",
    429: "Too many requests at once",
    500: "The server had an error",
}


def document() -> dict[str, Any]:
    """The whole document."""
    shown, schemas = models_json_schema(
        [
            *((body, "validation") for body in (*_BODIES, *BODIES)),
            *((model, "serialization") for model in (*_SHOWN, *SHOWN)),
        ],
        ref_template="#/components/schemas/{model}",
    )
    del shown
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Revalida Video",
            "version": "1",
            "description": _ABOUT + table(),
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": whole(_paths()),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(schemas["$defs"].items())),
        },
    }


def _paths() -> dict[str, Any]:
    return {
        "/v1/videos": {
            "post": _operation(
                "createVideo",
                "Make a video",
                VideoView,
                errors=(400, 401, 422, 429),
                body=RequestBody,
            ),
            "get": _operation("listVideos", "List videos", VideoListView, errors=(400, 401), parameters=_list_query()),
        },
        "/v1/videos/estimate": {
            "post": _operation(
                "estimateVideo",
                "What it would take and cost",
                EstimateView,
                (400, 401),
                body=RequestBody,
            )
        },
        "/v1/videos/characters": {
            "post": _taken(
                "createCharacter",
                "Take in a character",
                CharacterView,
                CharacterBody,
                (400, 401, 404, 422),
                [_idempotency_key()],
            ),
            "get": _operation("listCharacters", "List characters", CharacterListView, (400, 401), _character_query()),
        },
        "/v1/videos/characters/{character_id}": {
            "get": _operation("retrieveCharacter", "One character", CharacterView, (401, 404), _character_id()),
            "delete": _operation("deleteCharacter", "Forget it", CharacterDeletedView, (401, 404), _character_id()),
        },
        **_character_paths(),
        "/v1/uploads": {
            "post": _taken(
                "createUpload",
                "Where to put a large input",
                UploadView,
                UploadBody,
                (400, 401),
            )
        },
        "/v1/videos/edits": {"post": _from_video("editVideo", "A new video from another's first frame", EditBody)},
        "/v1/videos/extensions": {
            "post": _from_video(
                "extendVideo",
                "A video and what comes after it, as one",
                EditBody,
            )
        },
        "/v1/videos/{video_id}/remix": {
            "post": _from_video("remixVideo", "The same video by another prompt", RemixBody, [_video_id()])
        },
        "/v1/videos/{video_id}": {
            "get": _operation("retrieveVideo", "One video", VideoView, (401, 404), [_video_id()]),
            "delete": _operation("deleteVideo", "Delete it", VideoDeletedView, (401, 404), [_video_id()]),
        },
        "/v1/videos/{video_id}/content": {"get": _content()},
        "/v1/videos/{video_id}/cancel": {
            "post": _operation("cancelVideo", "Cancel it", VideoView, (400, 401, 404, 429), [_video_id()])
        },
        "/v1/models": {"get": _operation("listModels", "The catalog", ModelListView, (401,))},
        "/v1/models/{model_id}": {
            "get": _operation("retrieveModel", "One model", ModelView, (401, 404), [_model_id()])
        },
        "/v1/fleet": {"get": _operation("fleet", "Instances and backlog", FleetView, (401,))},
        "/v1/fleet/history": {
            "get": _operation("fleetHistory", "The fleet over time", FleetHistoryView, (400, 401), [_hours()])
        },
        "/v1/openapi.json": {"get": _description("openapi", "This document", "application/json", "object")},
        "/v1/docs": {"get": _description("docs", "This document as a page", "text/html", "string")},
    }


def _character_paths() -> dict[str, Any]:
    """What comes after a character is made: review, training, the finished file."""
    one = "/v1/videos/characters/{character_id}"
    version = _parameter("version", "query", {"type": "integer", "minimum": 1})
    expert = _parameter("expert", "query", {"type": "string", "enum": ["high_noise", "low_noise"]})
    layout = _parameter("layout", "query", {"type": "string", "enum": ["diffusers", "comfyui"]})
    errors = (400, 401, 404)
    return {
        f"{one}/images": {
            "get": _operation(
                "listCharacterImages", "Generated pictures", PictureListView, (401, 404), _character_id()
            ),
            "post": {
                **_taken("reviewCharacterImages", "Accept or reject them", PictureListView, ReviewBody, errors),
                "parameters": _character_id(),
            },
        },
        f"{one}/train": {
            "post": {
                **_taken("trainCharacter", "Begin a version", CharacterView, TrainingBody, errors),
                "parameters": _character_id(),
            }
        },
        f"{one}/cancel": {
            "post": _operation("cancelCharacter", "Stop its training", CharacterView, errors, _character_id())
        },
        f"{one}/training": {
            "get": _operation("watchTraining", "Losses and samples", TrainingView, errors, [*_character_id(), version])
        },
        f"{one}/training/loss.svg": {
            "get": {
                "operationId": "plotTraining",
                "summary": "The loss curve",
                "parameters": [*_character_id(), version],
                "responses": {
                    "200": {"description": "An SVG", "content": {"image/svg+xml": {"schema": {"type": "string"}}}},
                    **_error_responses(errors),
                },
            }
        },
        f"{one}/lora": {
            "get": {
                "operationId": "downloadLora",
                "summary": "The trained file of one expert",
                "parameters": [*_character_id(), version, expert, layout],
                "responses": {
                    "302": {"description": "`Location` is the file, for an hour"},
                    **_error_responses(errors),
                },
            }
        },
    }


def _operation(
    name: str,
    summary: str,
    shown: type[BaseModel],
    errors: tuple[int, ...],
    parameters: list[dict[str, Any]] | None = None,
    *,
    body: type[BaseModel] | None = None,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _json_response(summary, shown.__name__), **_error_responses(errors)},
    }
    if parameters:
        operation["parameters"] = list(parameters)
    if body:
        operation["parameters"] = [*operation.get("parameters", []), _idempotency_key(), _prefer()]
        operation["requestBody"] = _request_body(body)
    return operation


def _from_video(
    name: str,
    summary: str,
    body: type[BaseModel],
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    return _operation(name, summary, VideoView, (400, 401, 404, 422, 429), parameters, body=body)


def _taken(
    name: str,
    summary: str,
    shown: type[BaseModel],
    body: type[BaseModel],
    errors: tuple[int, ...],
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """An operation that makes something other than a video: there is nothing to wait for."""
    return {**_operation(name, summary, shown, errors, parameters), "requestBody": _request_body(body)}


def _request_body(body: type[BaseModel]) -> dict[str, Any]:
    """As JSON and as a form. That a body needs one of two fields is told in words: `anyOf` beside a `$ref` becomes, in
    generated clients, a type that no plain body fits."""
    schema = {"$ref": f"#/components/schemas/{body.__name__}"}
    return {
        "required": True,
        "content": {"application/json": {"schema": schema}, "multipart/form-data": {"schema": form_schema(body)}},
    }


def _error_responses(statuses: tuple[int, ...]) -> dict[str, Any]:
    return {str(status): _json_response(_ERRORS[status], "ErrorView") for status in (*statuses, 500)}


def _json_response(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _content() -> dict[str, Any]:
    variant = _parameter("variant", "query", {"type": "string", "enum": list(ASSETS), "default": "video"})
    return {
        "operationId": "videoContent",
        "summary": "The finished file, by a redirect to a signed URL, or as signed URLs (`Accept: application/json`)",
        "parameters": [_video_id(), variant],
        "responses": {
            "200": _json_response("To `Accept: application/json`: the signed URLs", "ContentView"),
            "302": {"description": "`Location` is the file, for an hour"},
            **_error_responses((400, 401, 404)),
        },
    }


def _description(name: str, summary: str, media_type: str, kind: str) -> dict[str, Any]:
    """What tells of the API itself: no key is needed."""
    response = {"description": summary, "content": {media_type: {"schema": {"type": kind}}}}
    return {"operationId": name, "summary": summary, "security": [], "responses": {"200": response}}


def _character_query() -> list[dict[str, Any]]:
    after = _parameter("after", "query", {"type": "string", "pattern": CHARACTER_ID_PATTERN})
    return [after, *(each for each in _list_query() if each["name"] in {"limit", "order"})]


def _character_id() -> list[dict[str, Any]]:
    return [_parameter("character_id", "path", {"type": "string", "pattern": CHARACTER_ID_PATTERN})]


def _list_query() -> list[dict[str, Any]]:
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    return [
        _parameter("after", "query", {"type": "string", "pattern": JOB_ID_PATTERN}),
        _parameter("limit", "query", limit),
        _parameter("order", "query", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
        _parameter("status", "query", {"type": "string", "enum": [str(state) for state in State]}),
        _parameter("model", "query"),
        _parameter("text", "query", {"type": "string", "maxLength": MAX_SEARCH_CHARS}),
    ]


def _hours() -> dict[str, Any]:
    return _parameter("hours", "query", {"type": "integer", "minimum": 1, "maximum": MAX_HISTORY_H, "default": 24})


def _video_id() -> dict[str, Any]:
    return _parameter("video_id", "path", {"type": "string", "pattern": JOB_ID_PATTERN})


def _model_id() -> dict[str, Any]:
    return _parameter("model_id", "path", {"type": "string", "pattern": MODEL_ID_PATTERN})


def _idempotency_key() -> dict[str, Any]:
    return _parameter("Idempotency-Key", "header", {"type": "string", "minLength": 1, "maxLength": 255})


def _prefer() -> dict[str, Any]:
    return _parameter("Prefer", "header", {"type": "string", "examples": ["wait=10"]})


def _parameter(name: str, where: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": schema or {"type": "string"}}


def text() -> str:
    """The committed form."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())
    sys.stdout.write(f"{PATH}\n")
