"""Between one agent and the local AWS: a relay that fails, holds and alters calls on demand."""

import contextlib
import http.client
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse

LATEST_S = 120.0
HOP_HEADERS = frozenset({"connection", "transfer-encoding", "keep-alive", "content-length"})


class FaultyRelay:
    """`rule` looks at every call (service, operation, body) and may sleep, or answer a status instead of relaying."""

    def __init__(self, endpoint: str) -> None:
        self._address = urlparse(endpoint).netloc
        self._lock = threading.Lock()
        self._fail_until_s = 0.0
        self._fail: Callable[[], bool] = lambda: False
        self._blocked_until_s = 0.0
        self._hold_completion_s = 0.0
        self._ended: Callable[[str], bool] = lambda job_id: True
        self._drop_extensions_until_s = 0.0
        self.counts: dict[str, int] = {}
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self) -> None:
                # An agent that is killed resets its connections.
                with contextlib.suppress(ConnectionResetError):
                    super().handle()

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                relay.serve(self, body)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail_calls(self, *, for_s: float, draw: Callable[[], bool]) -> None:
        """For a while each call for which `draw` is true gets a 500."""
        with self._lock:
            self._fail_until_s, self._fail = time.monotonic() + for_s, draw

    def hang_calls(self, *, for_s: float) -> None:
        """Calls that come within the time wait for its end."""
        with self._lock:
            self._blocked_until_s = time.monotonic() + for_s

    def drop_extensions(self, *, for_s: float) -> None:
        """Visibility is not extended for a while, though SQS seems to say so: messages come back early."""
        with self._lock:
            self._drop_extensions_until_s = time.monotonic() + for_s

    def delay_next_completion(self, *, by_s: float, ended: Callable[[str], bool]) -> None:
        """Nothing gets through for `by_s` seconds from the next write that completes a job, and that write itself is
        delivered only once the job has `ended` by somebody else's hand (or LATEST_S later)."""
        with self._lock:
            self._hold_completion_s = by_s
            self._ended = ended

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, call: BaseHTTPRequestHandler, body: bytes) -> None:
        target = call.headers.get("X-Amz-Target", "")
        try:
            if self._is_delayed_completion(target, body):
                return self._deliver_late(call, body)
            self._wait_while_blocked()
            if self._fails():
                return _answer(call, 500, {}, b"")
            if self._drops(target):
                return _answer(call, 200, {"Content-Type": "application/x-amz-json-1.0"}, b"{}")
            return self._relay(call, body)
        except (BrokenPipeError, ConnectionResetError):
            call.close_connection = True  # the agent gave up, or is no more

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def _is_delayed_completion(self, target: str, body: bytes) -> bool:
        with self._lock:
            held = (
                self._hold_completion_s > 0 and target.endswith("PutItem") and b'"status": {"S": "completed"}' in body
            )
            if held:
                self._blocked_until_s = time.monotonic() + self._hold_completion_s
                self._hold_completion_s = 0.0
        return held

    def _deliver_late(self, call: BaseHTTPRequestHandler, body: bytes) -> None:
        self._wait_while_blocked()
        found = re.search(rb"JOB#(video_[0-9A-Z]{26})", body)
        limit_s = time.monotonic() + LATEST_S
        while found and time.monotonic() < limit_s and not self._ended(found[1].decode()):
            time.sleep(0.2)
        self._count("late completion")
        self._relay(call, body)

    def _wait_while_blocked(self) -> None:
        with self._lock:
            left_s = self._blocked_until_s - time.monotonic()
        if left_s > 0:
            self._count("held call")
            time.sleep(left_s)

    def _fails(self) -> bool:
        with self._lock:
            fails = time.monotonic() < self._fail_until_s and self._fail()
        if fails:
            self._count("failed call")
        return fails

    def _drops(self, target: str) -> bool:
        with self._lock:
            drops = time.monotonic() < self._drop_extensions_until_s and target.endswith("ChangeMessageVisibility")
        if drops:
            self._count("dropped extension")
        return drops

    def _relay(self, call: BaseHTTPRequestHandler, body: bytes) -> None:
        headers = {name: value for name, value in call.headers.items() if name.lower() not in HOP_HEADERS}
        connection = http.client.HTTPConnection(self._address, timeout=60)
        try:
            connection.request(call.command, call.path, body=body, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_HEADERS}
        if call.command == "HEAD":
            kept["Content-Length"] = answer.getheader("Content-Length") or "0"
        _answer(call, answer.status, kept, content)


def _answer(call: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
    call.send_response_only(status)
    for name, value in headers.items():
        call.send_header(name, value)
    if "Content-Length" not in headers:
        call.send_header("Content-Length", str(len(body)))
    call.end_headers()
    if call.command != "HEAD":
        call.wfile.write(body)
