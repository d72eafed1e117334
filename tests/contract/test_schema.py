"""The API against its own description: schemathesis with every check, in process, over WSGI and a fake AWS."""

import base64
import io
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast
from urllib.parse import parse_qsl

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from jobs.keys import Scope
from lambdas import services
from lambdas.api.handler import handler
from tests.unit.jobs.cloud import fake_cloud
from tests.unit.lambdas.conftest import Context

# What a well-formed request may still be refused for: limits of a model, states, URLs that lead inside.
REFUSALS = ["2xx", "3xx", "400", "401", "402", "403", "404", "422", "429"]
CONFIG = SchemathesisConfig.from_dict(
    {
        "generation": {"deterministic": True, "max-examples": 3},
        "checks": {"positive_data_acceptance": {"expected-statuses": REFUSALS}},
        "phases": {"stateful": {"enabled": False}},
    }
)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The function behind HTTP, as API Gateway calls it."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": environ.get("QUERY_STRING", ""),
        "headers": headers,
        "queryStringParameters": dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        "requestContext": {
            "http": {"method": environ["REQUEST_METHOD"], "path": path, "sourceIp": "127.0.0.1"},
            "stage": "$default",
            "requestId": "r",
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }
    answer = handler(event, cast(Any, Context()))
    start_response(f"{answer['statusCode']} x", [(name, str(value)) for name, value in answer["headers"].items()])
    return io.BytesIO((answer.get("body") or "").encode())


@pytest.fixture(scope="module", autouse=True)
def key() -> Iterator[str]:
    """A key that may do everything. Names do not resolve, and nobody waits for a video."""
    with pytest.MonkeyPatch.context() as monkeypatch, fake_cloud(monkeypatch):
        monkeypatch.setattr(socket, "getaddrinfo", no_names)
        monkeypatch.setattr("lambdas.api.query.MAX_WAIT_S", 0)
        yield services.keys().create(owner="default", name="schema", scopes=tuple(Scope))


def no_names(*_arguments: Any, **_options: Any) -> Any:
    raise socket.gaierror("no names in this test")


# The same functions stand under `/v1/webhooks`: once is enough.
schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", application, config=CONFIG).exclude(
    path_regex="^/v1/webhook_endpoints"
)


@schema.parametrize()
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_given_any_request_then_the_answer_is_as_described(case: Any, key: str) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {key}"})
