"""Between API Gateway and the domain: bodies in, answers out, errors in OpenAI's shape."""

import base64
import binascii
import json
from typing import Any, NamedTuple, TypeVar

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic import BaseModel, ValidationError

from jobs.errors import IdempotencyConflict, RequestError
from jobs.form import from_multipart, from_urlencoded
from jobs.json_text import NotJson, decode_json
from jobs.limits import LimitReached
from jobs.parsing import check_depth, request_error

JSON = "application/json"
RETRY_WORTHWHILE_S = 60
NO_RETRY = {"x-should-retry": "false"}  # which the openai SDK obeys
_MAKING = ("/v1/videos", "/remix", "/edits", "/extensions", "/characters")  # ends of paths whose calls take a key
HttpEvent = APIGatewayProxyEventV2
Model = TypeVar("Model", bound=BaseModel)


class Body(NamedTuple):
    """A request's body; `texts`: its values are strings, to be read by their fields' types."""

    raw: Any
    texts: bool


class ApiError(Exception):
    """An answer other than 200 that is no fault of a field."""

    def __init__(self, status: int, message: str, *, kind: str = "invalid_request_error", code: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code


def answer(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response[str]:
    """A JSON answer."""
    return Response(
        status_code=status, content_type=JSON, body=json.dumps(body, ensure_ascii=False), headers=dict(headers or {})
    )


def error_answer(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    kind: str = "invalid_request_error",
    headers: dict[str, str] | None = None,
) -> Response[str]:
    """An error, always `{"error": {message, type, param, code}}`."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return answer(body, status=status, headers=headers)


def limit_answer(error: LimitReached, event: HttpEvent) -> Response[str]:
    """429 with when to come again; 402 for a budget, which the SDK does not retry in vain."""
    if error.retry_after_s is None:
        return error_answer(402, error.message, code="insufficient_quota", kind="insufficient_quota")
    headers = {"retry-after": str(error.retry_after_s)}
    # The openai SDK's retries come within seconds.
    if error.retry_after_s > RETRY_WORTHWHILE_S or retry_would_adopt(event):
        headers |= NO_RETRY
    return error_answer(429, error.message, code=f"{error.limit}_reached", kind="rate_limit_error", headers=headers)


def request_error_answer(error: RequestError) -> Response[str]:
    """400, except that an idempotency key's conflict is a 422: the SDK would repeat a 409."""
    status = 422 if isinstance(error, IdempotencyConflict) else 400
    return error_answer(status, error.message, param=error.param, code=error.code)


def read_body(event: HttpEvent) -> Body:
    """The body by its content type: JSON, or a form. Raises RequestError."""
    data = _bytes(event)
    content_type = event.headers.get("content-type", JSON)
    kind = content_type.split(";", 1)[0].strip().lower()
    if kind == "multipart/form-data":
        return Body(from_multipart(data, content_type), texts=True)
    if kind == "application/x-www-form-urlencoded":
        return Body(from_urlencoded(data), texts=True)
    if kind != JSON:
        raise RequestError("The body must be JSON or a form.", code="unsupported_content_type")
    try:
        return Body(decode_json(data.decode()), texts=False)
    except UnicodeDecodeError as error:
        raise RequestError("The body is not UTF-8.", code="invalid_json") from error
    except NotJson as error:
        raise RequestError(str(error), code="invalid_json") from error


def read_model(event: HttpEvent, model: type[Model]) -> Model:
    """The body as `model`; no body at all is an empty one. Raises RequestError naming the field."""
    body = read_body(event) if event.get("body") else Body({}, texts=False)
    if not isinstance(body.raw, dict):
        raise RequestError("The body must be a JSON object.", code="invalid_type")
    check_depth(body.raw)
    try:
        return model.model_validate(body.raw, strict=None if not body.texts else False)
    except ValidationError as error:
        raise request_error(error) from error


def idempotency_key(event: HttpEvent) -> str | None:
    """The caller's own name for the request."""
    return event.headers.get("idempotency-key")


def is_retry(event: HttpEvent) -> bool:
    """Whether the openai SDK says that it repeats a request."""
    return event.headers.get("x-stainless-retry-count", "0") not in {"", "0"}


def retry_would_adopt(event: HttpEvent) -> bool:
    """Whether the openai SDK's retry of this refused call could be answered with what another one made: without a key,
    two calls that say the same are told apart by nothing. A retry itself may be of a call that was accepted."""
    is_making = event.http_method == "POST" and event.path.endswith(_MAKING)
    return is_making and idempotency_key(event) is None and not is_retry(event)


def _bytes(event: HttpEvent) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body)
    except binascii.Error as error:
        raise RequestError("The body cannot be read.", code="invalid_body") from error
