import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

import pytest

from jobs import aws
from lambdas import services
from lambdas.api.handler import handler
from tests.unit.jobs.cloud import Cloud, fake_cloud
from tests.unit.lambdas.grants import Right, calling_function, is_granted, needed


class Context:
    """What the Lambda runtime hands to a function."""

    function_name = "function"
    function_version = "1"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-2:123456789012:function:function"
    aws_request_id = "request"


_refused: set[tuple[str, Right]] = set()


def _ask_for_rights(params: Mapping[str, Any], model: Any, **_: Any) -> None:
    function = calling_function()
    if function is not None:
        rights = needed(model.service_model.service_name, model.name, params)
        _refused.update((function, right) for right in rights if not is_granted(function, right))


@pytest.fixture(scope="session", autouse=True)
def _clients_that_ask_for_rights() -> Iterator[None]:
    made = aws._client.__wrapped__

    @cache
    def asking(service: str) -> Any:
        client = made(service)
        client.meta.events.register("provide-client-params.*.*", _ask_for_rights)
        return client

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(aws, "_client", asking)
        yield


@pytest.fixture(autouse=True)
def _every_call_is_granted() -> Iterator[None]:
    """Neither the fake AWS nor the local one asks for rights: what a function calls in a test, its role must allow."""
    yield
    refused = sorted(_refused)
    _refused.clear()
    assert refused == []


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with fake_cloud(monkeypatch) as made:
        yield made


@pytest.fixture
def context() -> Context:
    return Context()


class Answer(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]


class Api:
    """Calls the API function as API Gateway does (payload format 2.0)."""

    def __init__(self, key: str | None) -> None:
        self.key = key

    def __call__(
        self,
        method: str,
        path: str,
        *,
        json_body: Any = None,
        body: str | None = None,
        base64: bool = False,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"authorization": f"Bearer {self.key}"} if self.key else {}
        if json_body is not None:
            body = json.dumps(json_body)
        if body is not None:
            sent["content-type"] = "application/json"
        sent |= dict(headers or {})
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": urlencode(query or {}),
            "headers": sent,
            "queryStringParameters": dict(query or {}),
            "requestContext": {"http": {"method": method, "path": path}, "stage": "$default", "requestId": "r"},
            "body": body,
            "isBase64Encoded": base64,
        }
        answer = handler(event, cast(Any, Context()))
        text = answer.get("body") or ""
        named = {name.lower(): value for name, value in answer.get("headers", {}).items()}
        is_json = not named.get("content-type", "application/json").startswith("image/")
        return Answer(answer["statusCode"], json.loads(text) if text and is_json else text or None, named)


@pytest.fixture
def api(cloud: Cloud) -> Api:
    return Api(services.keys().create(owner="default", name="tests"))


@pytest.fixture(scope="module")
def refusing_api() -> Iterator[Api]:
    """For requests that change nothing: one fake AWS for all of them."""
    with pytest.MonkeyPatch.context() as monkeypatch, fake_cloud(monkeypatch) as made:
        yield Api(services.keys().create(owner="default", name="tests"))
        assert made.messages() == []
        assert made.object_keys() == []


@pytest.fixture
def other_api(cloud: Cloud) -> Api:
    """Another tenant's."""
    return Api(services.keys().create(owner="other", name="tests"))
