"""The API against its own description: schemathesis with every check, in process, over WSGI and a fake AWS."""

import base64
import io
import re
import socket
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, settings
from schemathesis.config import SchemathesisConfig

from jobs.keys import Scope
from lambdas import services
from lambdas.api.handler import handler
from lambdas.api.refusals import REFUSALS, SHAPE
from tests.unit.jobs.cloud import fake_cloud
from tests.unit.lambdas.conftest import Context

ROOT = Path(__file__).parents[2]
# A body that its schema allows may still be refused, but only for a reason that no schema can tell, by a code that the
# description has. `refused_for_a_reason` looks at the code; these are the statuses that such refusals have.
REFUSED = {400, 402, 404, 422}
# Rules that the schemas leave to words: one field or another is needed, fields exclude each other, a name is printable
# and no path. A client's generated types would suffer more from them than its author would gain.
BEYOND_SCHEMA = {
    "missing_required_parameter": re.compile("prompt|seconds"),
    "invalid_value": re.compile(r"|name|trigger|loras\[\d+\]"),
}
CONFIG = SchemathesisConfig.from_dict(
    {
        "generation": {"deterministic": True, "max-examples": 3},
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", *map(str, sorted(REFUSED))]}},
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


@schemathesis.check
def refused_for_a_reason(_context: Any, response: Any, case: Any) -> bool | None:
    """What the schema allows is never refused for its shape, and what is refused has a code that is described."""
    meta = case.meta
    if response.status_code < 400 or meta is None or not meta.generation.mode.is_positive:
        return None
    error = response.json()["error"]
    rule = BEYOND_SCHEMA.get(error["code"])
    if rule is not None and rule.fullmatch(error["param"] or ""):
        return None
    assert error["code"] in REFUSALS, f"{response.status_code} for a valid request: {error}"
    assert response.status_code in REFUSED
    return None


def make_acceptable(case: Any) -> None:
    """Half of the valid bodies name a model that is there, and each has an idempotency key of its own: else nearly all
    are refused for these two."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if isinstance(case.body, dict) and isinstance(case.body.get("description"), str):
        case.body["num_images"] = 5  # each one is a video to be made
    model = case.body.get("model") if isinstance(case.body, dict) else None
    if isinstance(model, str) and len(model) % 2:
        case.body["model"] = "wan-mini"


def test_given_a_code_in_the_source_then_the_description_has_it() -> None:
    """Of the drop folder's files and of jobs that fail later, receipts and events tell."""
    elsewhere = ("jobs/drop/", "jobs/transitions.py", "jobs/sweeping.py")
    raised = {
        code
        for folder in ("jobs", "lambdas", "models/catalog", "models/placement")
        for path in (ROOT / folder).rglob("*.py")
        if not str(path.relative_to(ROOT)).startswith(elsewhere)
        for code in re.findall(r'\bcode="([a-z0-9_]+)"', path.read_text(encoding="utf-8"))
    }

    # Reasons of a plan, which `not_runnable` and `not_trainable` tell, and of a training that has ended.
    inside = {"out_of_memory", "gpu_memory", "training_cancelled", "training_deleted"}
    assert raised - {*SHAPE, *REFUSALS, *inside} == set()
    assert set(REFUSALS).isdisjoint(SHAPE)


def test_given_the_schemas_then_their_bounds_are_keywords_that_readers_know() -> None:
    """pydantic writes a bound that stands behind a validator as it is called in Python."""
    documents = [ROOT / "docs" / "openapi.json", *(ROOT / "docs" / "events").glob("*.schema.json")]

    told = {word for path in documents for word in re.findall(r'"(ge|gt|le|lt|multiple_of)":', path.read_text())}

    assert told == set()


@schema.parametrize()
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_given_any_request_then_the_answer_is_as_described(case: Any, key: str) -> None:
    if case.media_type == "multipart/form-data" and isinstance(case.body, dict):
        assume("" not in case.body.values())  # werkzeug's client writes no line end after an empty value
    make_acceptable(case)
    case.call_and_validate(headers={"Authorization": f"Bearer {key}"})
