"""The front door over real sockets, before an upstream that answers with what it was sent."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from local.front_door import METHODS, create_app
from local.ports import free_port

API_HOST = "abc.execute-api.127.0.0.1:4566"


async def _echo(request: Request) -> Response:
    body = await request.body()
    seen = {
        "method": request.method,
        "path": request.scope["raw_path"].decode(),
        "query": request.url.query,
        "headers": dict(request.headers),
        "bytes": len(body),
    }
    return JSONResponse(seen, status_code=207, headers={"x-from": "upstream"})


async def _redirect(_: Request) -> Response:
    return RedirectResponse("http://127.0.0.1:1/bucket/video.mp4?X-Amz-Signature=1", status_code=302)


async def _stream(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65_536

    return StreamingResponse(parts())


@contextmanager
def _serving(app: Starlette) -> Iterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[httpx.Client]:
    upstream = Starlette(
        routes=[
            Route("/v1/redirect", _redirect),
            Route("/v1/stream", _stream),
            Route("/v1/{path:any}", _echo, methods=METHODS),
        ]
    )
    with (
        _serving(upstream) as api_url,
        _serving(create_app(api_url=api_url, api_host=API_HOST, console=tmp_path / "console")) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        yield client


def test_given_a_request_when_forwarded_then_method_path_query_headers_and_body_arrive(door: httpx.Client) -> None:
    answer = door.post(
        "/v1/videos/a%20b?after=x%2Fy&limit=2", content=b"z" * 300_000, headers={"authorization": "Bearer sk-1"}
    )

    seen = answer.json()
    assert (answer.status_code, answer.headers["x-from"]) == (207, "upstream")
    assert (seen["method"], seen["path"], seen["query"]) == ("POST", "/v1/videos/a%20b", "after=x%2Fy&limit=2")
    assert seen["headers"]["authorization"] == "Bearer sk-1"
    assert seen["headers"]["host"] == API_HOST
    assert seen["bytes"] == 300_000


@pytest.mark.parametrize("path", ["%00", "a%0d%0aX:1", "%E2%80%AE", "..%2f..%2fx", "a%3Fb", "%25", "%ff"])
def test_given_odd_text_in_a_path_when_forwarded_then_it_is_the_apis_to_refuse(door: httpx.Client, path: str) -> None:
    url = httpx.URL(door.base_url, raw_path=f"/v1/videos/{path}".encode())

    assert door.get(url).json()["path"] == f"/v1/videos/{path}"


def test_given_bytes_that_no_url_has_when_asked_for_then_a_400(door: httpx.Client) -> None:
    with socket.create_connection((door.base_url.host, door.base_url.port)) as client:
        client.sendall(b"GET /v1/videos/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = client.recv(10_000)

    assert answer.startswith(b"HTTP/1.1 400")


def test_given_a_request_without_body_when_forwarded_then_none_is_invented(door: httpx.Client) -> None:
    headers = door.get("/v1/models").json()["headers"]

    assert "transfer-encoding" not in headers
    assert headers.get("content-length", "0") == "0"


def test_given_a_body_larger_than_api_gateway_takes_then_a_413_in_the_dialects_shape(door: httpx.Client) -> None:
    for size in (10 * 2**20 + 1, 40 * 2**20):
        answer = door.post("/v1/videos", content=b"z" * size)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    assert door.post("/v1/videos", content=b"z" * 10 * 2**20).json()["bytes"] == 10 * 2**20


def trickling(url: str) -> socket.socket:
    """A client that announces a body and sends a byte of it."""
    client = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    client.sendall(b"POST /v1/videos HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    return client


def test_given_many_clients_that_trickle_then_the_honest_are_served_and_the_slow_get_a_408(tmp_path: Path) -> None:
    asked: list[int] = []

    async def count(request: Request) -> Response:
        asked.append(len(await request.body()))
        return JSONResponse({})

    upstream = Starlette(routes=[Route("/v1/{path:path}", count, methods=METHODS)])
    with (
        _serving(upstream) as api_url,
        _serving(create_app(api_url=api_url, api_host=API_HOST, console=tmp_path, body_limit_s=3.0)) as url,
    ):
        slow = [trickling(url) for _ in range(300)]
        honest = [httpx.post(f"{url}/v1/videos", content=b"{}", trust_env=False).status_code for _ in range(5)]
        ends = [client.recv(12) for client in slow]
        for client in slow:
            client.close()

    assert honest == [200] * 5
    assert set(ends) == {b"HTTP/1.1 408"}
    assert asked == [2] * 5  # of the slow ones, the API has heard nothing


def test_given_a_crowd_then_all_are_served_and_the_api_has_a_few_at_a_time(tmp_path: Path) -> None:
    now, most = 0, 0

    async def slow(_: Request) -> Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        return JSONResponse({})

    upstream = Starlette(routes=[Route("/v1/{path:path}", slow)])
    with (
        _serving(upstream) as api_url,
        _serving(create_app(api_url=api_url, api_host=API_HOST, console=tmp_path, calls_at_once=4)) as url,
        ThreadPoolExecutor(30) as crowd,
    ):
        statuses = list(crowd.map(lambda _: httpx.get(f"{url}/v1/videos", trust_env=False).status_code, range(30)))

    assert statuses == [200] * 30
    assert most == 4


def test_given_a_redirect_when_answered_then_the_client_gets_it_and_not_its_target(door: httpx.Client) -> None:
    answer = door.get("/v1/redirect")

    assert answer.status_code == 302
    assert answer.headers["location"].endswith("video.mp4?X-Amz-Signature=1")


def test_given_a_long_answer_when_streamed_then_all_of_it_arrives(door: httpx.Client) -> None:
    assert len(door.get("/v1/stream").content) == 64 * 65_536


def test_given_no_console_when_its_page_is_asked_for_then_the_door_says_where_the_api_is(door: httpx.Client) -> None:
    assert "/v1" in door.get("/").text


def test_given_a_console_when_its_page_is_asked_for_then_it_is_served(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>console</title>")
    app = create_app(api_url="http://127.0.0.1:1", api_host=API_HOST, console=tmp_path)

    with _serving(app) as url:
        assert "console" in httpx.get(f"{url}/", trust_env=False).text


def test_given_a_console_when_its_pages_and_files_are_asked_for_then_they_are_kept_and_guarded(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>console</title>")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "main-abc.js").write_text("1")
    app = create_app(api_url="http://127.0.0.1:1", api_host=API_HOST, console=tmp_path)

    with _serving(app) as url:
        page = httpx.get(f"{url}/videos/video_1", trust_env=False)
        script = httpx.get(f"{url}/assets/main-abc.js", trust_env=False)
        missing = httpx.get(f"{url}/assets/gone.js", trust_env=False)

    assert (page.status_code, page.text) == (200, "<title>console</title>")
    assert page.headers["cache-control"] == "no-cache"
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "connect-src 'self' http://127.0.0.1:1;" in page.headers["content-security-policy"]
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert missing.status_code == 404


def test_given_an_api_that_is_down_when_called_then_the_error_has_the_dialects_shape(tmp_path: Path) -> None:
    app = create_app(api_url=f"http://127.0.0.1:{free_port()}", api_host=API_HOST, console=tmp_path / "none")

    with _serving(app) as url:
        answer = httpx.get(f"{url}/v1/models", trust_env=False)

    assert answer.status_code == 502
    assert set(json.loads(answer.text)["error"]) == {"message", "type", "param", "code"}
