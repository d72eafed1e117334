"""The HTTP API: routes, and the one place that turns errors into answers."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.typing import LambdaContext

from jobs.errors import CharacterNotFound, JobNotFound, RequestError, WebhookNotFound, WriteContention
from jobs.keys import KeyNotFound
from jobs.limits import LimitReached
from lambdas.api.auth import caller, forget_caller
from lambdas.api.http import NO_RETRY, ApiError, error_answer, limit_answer, request_error_answer, retry_would_adopt
from lambdas.api.routing import add_routes, methods_of
from lambdas.api.trail import keep

CONTENTION_S = 1  # the other changes take milliseconds

logger = Logger()
app = APIGatewayHttpResolver()
add_routes(app)


def _on_request_error(error: RequestError) -> Response[str]:
    return request_error_answer(error)


def _on_api_error(error: ApiError) -> Response[str]:
    return error_answer(error.status, error.message, code=error.code, kind=error.kind)


def _on_job_not_found(_error: JobNotFound) -> Response[str]:
    # The id is not repeated: it is the caller's text.
    return error_answer(404, "No video with this id.", code="video_not_found", param="video_id")


def _on_webhook_not_found(_error: WebhookNotFound) -> Response[str]:
    return error_answer(404, "No webhook with this id.", code="webhook_not_found", param="webhook_id")


def _on_character_not_found(_error: CharacterNotFound) -> Response[str]:
    return error_answer(404, "No character with this id.", code="character_not_found", param="character_id")


def _on_key_not_found(_error: KeyNotFound) -> Response[str]:
    return error_answer(404, "No API key with this id.", code="key_not_found", param="key_id")


def _on_limit(error: LimitReached) -> Response[str]:
    return limit_answer(error, app.current_event)


def _on_contention(_error: WriteContention) -> Response[str]:
    message = "Too many changes of this video at once; try again."
    headers = {"retry-after": str(CONTENTION_S)}
    if retry_would_adopt(app.current_event):
        headers |= NO_RETRY
    return error_answer(429, message, code="busy", kind="rate_limit_error", headers=headers)


def _on_unknown_route(_error: NotFoundError) -> Response[str]:
    allowed = methods_of(app, app.current_event.path)
    if allowed:
        message = f"This URL takes {', '.join(allowed)}."
        headers = {"Allow": ", ".join(allowed)}
        return error_answer(405, message, code="method_not_allowed", headers=headers)
    return error_answer(404, "Unknown request URL; see /v1/openapi.json.", code="unknown_url")


def _on_anything_else(error: Exception) -> Response[str]:
    logger.exception("unexpected", exc_info=error)
    return error_answer(500, "The server had an error.", code="server_error", kind="server_error")


app.exception_handler(RequestError)(_on_request_error)
app.exception_handler(ApiError)(_on_api_error)
app.exception_handler(JobNotFound)(_on_job_not_found)
app.exception_handler(CharacterNotFound)(_on_character_not_found)
app.exception_handler(WebhookNotFound)(_on_webhook_not_found)
app.exception_handler(KeyNotFound)(_on_key_not_found)
app.exception_handler(LimitReached)(_on_limit)
app.exception_handler(WriteContention)(_on_contention)
app.exception_handler(Exception)(_on_anything_else)
app.not_found(_on_unknown_route)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP request (payload format 2.0)."""
    forget_caller()
    answer = app.resolve(event, context)
    keep(caller(), event, answer)
    return answer
