"""The one address a user needs: `/v1` goes to the API as CloudFront sends it in AWS, the rest is the console.

Bodies are streamed both ways; nothing is read whole into memory.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

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


def create_app(*, api_url: str, api_host: str, console: Path) -> Starlette:
    """`api_url` is where the local API Gateway listens, `api_host` the host name by which it knows the API."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=api_url, timeout=_TIMEOUT, trust_env=False) as client:
            app.state.client = client
            yield

    async def api(request: Request) -> Response:
        return await _forward(request, request.app.state.client, api_host)

    routes: list[BaseRoute] = [Route("/v1/{path:path}", api, methods=METHODS)]
    if console.is_dir():
        routes.append(Mount("/", StaticFiles(directory=console, html=True)))
    else:
        routes.append(Route("/", _welcome))
    return Starlette(routes=routes, lifespan=lifespan)


async def _forward(request: Request, client: httpx.AsyncClient, api_host: str) -> Response:
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    outgoing = client.build_request(
        request.method,
        httpx.URL(path=request.url.path, query=request.url.query.encode()),
        headers={**_end_to_end(request.headers), "host": api_host},
        content=request.stream() if has_body else None,
    )
    try:
        answer = await client.send(outgoing, stream=True)
    except httpx.TransportError as error:
        return _unreachable(error)
    headers = _end_to_end(answer.headers)
    return StreamingResponse(
        answer.aiter_raw(), status_code=answer.status_code, headers=headers, background=BackgroundTask(answer.aclose)
    )


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


def _unreachable(error: httpx.TransportError) -> Response:
    message = f"The local API did not answer ({type(error).__name__})."
    body = {"error": {"message": message, "type": "server_error", "param": None, "code": "api_unreachable"}}
    return JSONResponse(body, status_code=502)


async def _welcome(_: Request) -> Response:
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Revalida Video</title>"
        "<h1>Revalida Video</h1><p>The API is at <code>/v1</code>.</p>"
    )
