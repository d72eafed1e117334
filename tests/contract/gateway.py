"""A stand-in for API Gateway: serves the API's Lambda handler over a real socket, one request at a time, as payload
format 2.0 and within the limits that AWS documents."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lambdas.api.handler import handler
from tests.unit.lambdas.conftest import Context

MAX_BODY_BYTES = 10 * 2**20  # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@contextmanager
def served() -> Iterator[str]:
    """The base URL under which the handler answers."""
    config = uvicorn.Config(_gateway(), host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the gateway did not start")
        threading.Event().wait(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def _gateway() -> Starlette:
    # One environment of a function handles one request at a time, and the resolver relies on it.
    turn = threading.Lock()

    def invoke(event: dict[str, Any]) -> dict[str, Any]:
        with turn:
            return handler(event, cast(Any, Context()))

    async def answer(request: Request) -> Response:
        body = await request.body()
        if len(body) > MAX_BODY_BYTES:
            return Response('{"message":"Request Entity Too Large"}', status_code=413, media_type="application/json")
        result = await run_in_threadpool(invoke, _event(request, body))
        content = result.get("body") or ""
        data = base64.b64decode(content) if result.get("isBase64Encoded") else content.encode()
        return Response(data, status_code=result["statusCode"], headers=result.get("headers"))

    return Starlette(routes=[Route("/{path:path}", answer, methods=METHODS)])


def _event(request: Request, body: bytes) -> dict[str, Any]:
    path = request.url.path
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.url.query,
        "headers": dict(request.headers),
        "queryStringParameters": dict(request.query_params),
        "requestContext": {
            "http": {"method": request.method, "path": path, "sourceIp": "127.0.0.1"},
            "stage": "$default",
            "requestId": "contract",
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
