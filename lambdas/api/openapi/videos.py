"""Videos: made, derived from others, watched, fetched."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from jobs.ids import JOB_ID_PATTERN
from jobs.request import EditBody, RemixBody, RequestBody
from jobs.s3_keys import ASSETS
from jobs.states import State
from jobs.uploads import UploadBody, UploadView
from jobs.view import VideoView
from lambdas.api.openapi.parts import (
    Described,
    answer,
    described,
    idempotency_key,
    in_path,
    json_or_form,
    operation,
    parameter,
)
from lambdas.api.query import DEFAULT_LIMIT, MAX_LIMIT, MAX_SEARCH_CHARS
from lambdas.api.views import ContentView, EstimateView, VideoDeletedView, VideoListView

_ONE = in_path("video_id", JOB_ID_PATTERN)


def paths() -> dict[str, Any]:
    """Everything below `/v1/videos` but the characters, and `/v1/uploads`."""
    return {**_all(), **_derived(), **_one()}


def _all() -> dict[str, Any]:
    upload = operation("createUpload", "Where to put a large input", UploadView, (400,), body=json_or_form(UploadBody))
    return {
        "/v1/videos": {
            "post": _charged("createVideo", "Make a video", RequestBody),
            "get": operation("listVideos", "List videos", VideoListView, (400,), list_query()),
        },
        "/v1/videos/estimate": {
            "post": operation(
                "estimateVideo",
                "What it would take and cost",
                EstimateView,
                (400,),
                _wishes(),
                body=json_or_form(RequestBody),
            )
        },
        "/v1/uploads": {"post": upload},
    }


def _derived() -> dict[str, Any]:
    extended = "A video and what comes after it, as one"
    return {
        "/v1/videos/edits": {"post": _charged("editVideo", "A new video from another's first frame", EditBody, (404,))},
        "/v1/videos/extensions": {"post": _charged("extendVideo", extended, EditBody, (404,))},
        "/v1/videos/{video_id}/remix": {
            "post": _charged("remixVideo", "The same video by another prompt", RemixBody, (404,), [_ONE])
        },
    }


def _one() -> dict[str, Any]:
    return {
        "/v1/videos/{video_id}": {
            "get": operation("retrieveVideo", "One video", VideoView, (404,), [_ONE]),
            "delete": operation("deleteVideo", "Delete it", VideoDeletedView, (404,), [_ONE]),
        },
        "/v1/videos/{video_id}/content": {"get": _content()},
        "/v1/videos/{video_id}/cancel": {"post": operation("cancelVideo", "Cancel it", VideoView, (400, 404), [_ONE])},
    }


def _charged(
    name: str,
    summary: str,
    body: type[BaseModel],
    errors: Sequence[int] = (),
    parameters: Sequence[Described] = (),
) -> Described:
    """One that makes a video, which somebody pays for."""
    given = [*parameters, *_wishes()]
    return operation(name, summary, VideoView, (400, 402, 422, *errors), given, body=json_or_form(body))


def _wishes() -> list[Described]:
    return [idempotency_key(), parameter("Prefer", "header", {"type": "string", "examples": ["wait=10"]})]


def _content() -> Described:
    variant = parameter("variant", "query", {"type": "string", "enum": list(ASSETS), "default": "video"})
    return described(
        "videoContent",
        "The finished file, by a redirect to a signed URL, or as signed URLs (`Accept: application/json`)",
        {
            "200": answer("To `Accept: application/json`: the signed URLs", ContentView),
            "302": {"description": "`Location` is the file, for an hour"},
        },
        (400, 404),
        [_ONE, variant],
    )


def list_query() -> list[Described]:
    """How videos are listed, page by page."""
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    return [
        parameter("after", "query", {"type": "string", "pattern": JOB_ID_PATTERN}),
        parameter("limit", "query", limit),
        parameter("order", "query", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
        parameter("status", "query", {"type": "string", "enum": [str(state) for state in State]}),
        parameter("model", "query"),
        parameter("text", "query", {"type": "string", "maxLength": MAX_SEARCH_CHARS}),
    ]
