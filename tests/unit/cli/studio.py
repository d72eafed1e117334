"""The API function behind a real HTTP server on loopback, over a fake AWS (moto) in this process."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from jobs.job import Outputs
from jobs.keys import KeyStore, Scope
from jobs.store import JobStore
from lambdas.api.handler import handler
from tests.unit.jobs.cloud import BUCKET, TABLE, Cloud, fake_cloud

REQUEST_ID = "test-request-id"


class Context:
    function_name = "api"
    function_version = "1"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-2:123456789012:function:api"
    aws_request_id = "request"


class Studio:
    """One running API. `seen`: what came in, as (method, path, headers); `fail_next`: statuses to answer instead."""

    def __init__(self, cloud: Cloud, address: str) -> None:
        self.cloud = cloud
        self.address = address
        self.key = KeyStore(TABLE).create(owner="default", name="tests", scopes=tuple(Scope))
        self.store = JobStore(TABLE)
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.fail_next: list[int] = []
        self.break_next = 0
        self.lock = threading.RLock()  # moto's tables do not stand two threads

    @property
    def environment(self) -> dict[str, str]:
        return {"REVALIDA_API_BASE": f"{self.address}/v1", "REVALIDA_API_KEY": self.key}

    def start(self, job_id: str, *, step: int = 3) -> int:
        """An agent takes the job and gets some way; returns the attempt."""
        job = self.store.claim(job_id, instance_id="i-1", slot="cpu", lease_s=600)
        self.store.heartbeat(job_id, job.attempt, lease_s=600, step=step, total_steps=8, phase="denoise")
        return job.attempt

    def complete(self, job_id: str, *, content: bytes = b"mp4" * 1000) -> None:
        """The job ends well, with its files in the bucket."""
        with self.lock:
            self._complete(job_id, content)

    def _complete(self, job_id: str, content: bytes) -> None:
        attempt = self.start(job_id)
        keys = {name: f"videos/{job_id}/{attempt}/{name}" for name in ("video", "thumbnail", "spritesheet")}
        for key in keys.values():
            self.cloud.put(key, content)
        size = {"width": 128, "height": 128, "num_frames": 33, "fps": 16, "bytes": len(content), "seconds": 2.0}
        outputs = Outputs(bucket=BUCKET, **keys, **cast(Any, size))
        self.store.complete(job_id, attempt, outputs=outputs, seconds_by_phase={"denoise": 3.0}, cost_usd=0.012)

    def posts(self) -> list[str]:
        return [path for method, path, _ in self.seen if method == "POST"]


@contextmanager
def running_studio(monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """The API at a free port."""
    with fake_cloud(monkeypatch) as cloud:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Door)
        studio = Studio(cloud, f"http://127.0.0.1:{server.server_port}")
        server.studio = studio  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield studio
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Door(BaseHTTPRequestHandler):
    """API Gateway (payload format 2.0) and the bucket's signed URLs, on one port."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        studio: Studio = self.server.studio  # type: ignore[attr-defined]
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        studio.seen.append((self.command, self.path, headers))
        if studio.break_next:
            studio.break_next -= 1
            self._call(headers, body)  # the request arrives, its answer does not
            self.close_connection = True
            return
        if studio.fail_next:
            error = {"error": {"message": "Not now.", "type": "server_error", "param": None, "code": "busy"}}
            self._send(studio.fail_next.pop(0), {"retry-after": "0"}, json.dumps(error).encode())
        elif self.path.startswith("/bucket/"):
            with studio.lock:
                data = studio.cloud.read(unquote(urlsplit(self.path).path.removeprefix("/bucket/")))
            self._send(200, {}, data)
        else:
            self._send(*self._call(headers, body))

    def _call(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        url = urlsplit(self.path)
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": url.path,
            "rawQueryString": url.query,
            "headers": headers,
            "queryStringParameters": dict(parse_qsl(url.query)),
            "requestContext": {
                "http": {"method": self.command, "path": url.path},
                "stage": "$default",
                "requestId": "r",
            },
            "body": body.decode() if body else None,
            "isBase64Encoded": False,
        }
        studio: Studio = self.server.studio  # type: ignore[attr-defined]
        with studio.lock:
            answer = handler(event, cast(Any, Context()))
        told = {name.lower(): value for name, value in answer.get("headers", {}).items()}
        if "location" in told:
            told["location"] = f"/bucket{urlsplit(told['location']).path}".replace(f"/bucket/{BUCKET}/", "/bucket/")
            told["location"] = (
                f"http://127.0.0.1:{cast(ThreadingHTTPServer, self.server).server_port}{told['location']}"
            )
        return answer["statusCode"], told, (answer.get("body") or "").encode()

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "apigw-requestid": REQUEST_ID, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = do_PUT = _answer
