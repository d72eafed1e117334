"""The one address a user needs: `/v1` goes to the API as CloudFront sends it in AWS, the rest is the console.

As API Gateway does, it takes a request whole before it asks the API: a client that trickles its body holds up nobody
but itself. Answers are streamed.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route

from local.console_files import ConsoleFiles

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

# RFC 9110, section 7.6.1: these concern one connection and are not to be passed on; the host is the API's own.
_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
    )
)

# A long answer of the API takes at most 30 s, as API Gateway has it; connecting on loopback takes no time.
_TIMEOUT = httpx.Timeout(35.0, connect=5.0)
_CONNECTIONS = httpx.Limits(max_connections=1_000, max_keepalive_connections=50)

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
MAX_BODY_BYTES = 10 * 2**20
BODY_LIMIT_S = 30.0

# The local AWS starts a process for each call under way, and a call has the function's 29 s: of fifty processes that
# start together on a few cores, none is done in time. What comes beyond these waits for its turn.
CALLS_AT_ONCE = 8


class _AnyPath(PathConvertor):
    """Any path, with line ends in it too: what it means is the API's to say."""

    regex = "(?s:.*)"


register_url_convertor("any", _AnyPath())


class _Refused(Exception):
    """The request does not get as far as the API."""

    def __init__(self, status: int, message: str, *, code: str) -> None:
        super().__init__(message)
        self.answer = _error(status, message, code=code, kind="invalid_request_error")


def create_app(
    *,
    api_url: str,
    api_host: str,
    console: Path,
    body_limit_s: float = BODY_LIMIT_S,
    calls_at_once: int = CALLS_AT_ONCE,
) -> Starlette:
    """`api_url` is where the local AWS listens (the API and, for signed links, the media bucket), `api_host` the host
    name by which its gateway knows the API, `console` the built console.

    A client has `body_limit_s` seconds to send its body; the API answers `calls_at_once` at a time."""
    turns = asyncio.Semaphore(calls_at_once)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(
            base_url=api_url, timeout=_TIMEOUT, limits=_CONNECTIONS, trust_env=False
        ) as client:
            app.state.client = client
            yield

    async def api(request: Request) -> Response:
        try:
            body = await _body(request, body_limit_s)
        except _Refused as refused:
            return refused.answer
        async with turns:
            return await _forward(request, request.app.state.client, api_host, body)

    routes: list[BaseRoute] = [Route("/v1/{path:any}", api, methods=METHODS)]
    if console.is_dir():
        routes.append(Mount("/", ConsoleFiles(console, media_origin=api_url)))
    else:
        routes.append(Route("/", _welcome))
    return Starlette(routes=routes, lifespan=lifespan)


async def _body(request: Request, limit_s: float) -> bytes | None:
    """The whole body, or None if the request has none. Raises _Refused: too large, too slow, or broken off."""
    if "content-length" not in request.headers and "transfer-encoding" not in request.headers:
        return None
    content = bytearray()
    try:
        async with asyncio.timeout(limit_s):
            async for part in request.stream():
                if len(content) <= MAX_BODY_BYTES:
                    content += part  # the rest is read and dropped: a client that still sends hears no answer
    except TimeoutError as slow:
        message = f"The body did not arrive within {limit_s:g} seconds."
        raise _Refused(408, message, code="body_too_slow") from slow
    except ClientDisconnect as gone:
        raise _Refused(400, "The body broke off.", code="body_broken_off") from gone
    if len(content) > MAX_BODY_BYTES:
        message = f"The body has more than {MAX_BODY_BYTES} bytes; upload large inputs by /v1/uploads."
        raise _Refused(413, message, code="body_too_large")
    return bytes(content)


async def _forward(request: Request, client: httpx.AsyncClient, api_host: str, body: bytes | None) -> Response:
    asked = b"?".join(filter(None, (request.scope["raw_path"], request.scope["query_string"])))
    try:
        url = httpx.URL(raw_path=asked)
    except (httpx.InvalidURL, UnicodeDecodeError):
        return _error(400, "The URL cannot be read.", code="unreadable_url", kind="invalid_request_error")
    outgoing = client.build_request(
        request.method,
        url,
        headers={**_end_to_end(request.headers, "content-length"), "host": api_host},
        content=body,
    )
    try:
        answer = await client.send(outgoing, stream=True)
    except httpx.TransportError as error:
        return _unreachable(error)
    headers = _end_to_end(answer.headers)
    return StreamingResponse(
        answer.aiter_raw(), status_code=answer.status_code, headers=headers, background=BackgroundTask(answer.aclose)
    )


def _end_to_end(headers: Mapping[str, str], *others: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP.union(others)}


def _unreachable(error: httpx.TransportError) -> Response:
    message = f"The local API did not answer ({type(error).__name__})."
    return _error(502, message, code="api_unreachable", kind="server_error")


def _error(status: int, message: str, *, code: str, kind: str) -> Response:
    """In the dialect's shape."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return JSONResponse(body, status_code=status)


async def _welcome(_: Request) -> Response:
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Revalida Video</title>"
        "<h1>Revalida Video</h1><p>The API is at <code>/v1</code>. "
        "<code>make console</code> builds the console.</p>"
    )
