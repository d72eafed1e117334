"""Between one agent and the local AWS: a relay that fails, holds and alters calls on demand."""

import contextlib
import http.client
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse

LATEST_S = 240.0
LOOK_S = 0.2
LATE = "late completion"  # counted once another attempt had ended the job before the write got through
JobProbe = Callable[[str], bool]
HOP_HEADERS = frozenset({"connection", "transfer-encoding", "keep-alive", "content-length"})


class FaultyRelay:
    """Passes every call on, unless a fault is due: then it is held, answered with an error, or altered."""

    def __init__(self, endpoint: str) -> None:
        self._address = urlparse(endpoint).netloc
        self._lock = threading.Lock()
        self._fail_until_s = 0.0
        self._fail: Callable[[], bool] = lambda: False
        self._blocked_until_s = 0.0
        self._open = threading.Event()
        self._open.set()
        self._hold_completion = False
        self._delivered = threading.Event()
        self._taken_over: JobProbe = lambda job_id: True
        self._ended: JobProbe = lambda job_id: True
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

    def delay_next_completion(self, *, taken_over: JobProbe, ended: JobProbe) -> threading.Event:
        """From the next write that completes a job on nothing gets through until another attempt has `taken_over` the
        job, and that write itself only once the job has `ended` by the other's hand (or LATEST_S later).

        Answers what is set once the write is delivered."""
        with self._lock:
            self._delivered = threading.Event()
            self._hold_completion = True
            self._taken_over = taken_over
            self._ended = ended
            return self._delivered

    @property
    def awaits_completion(self) -> bool:
        """Whether the next completion is to be held back, and has not come yet."""
        with self._lock:
            return self._hold_completion

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
            held = self._hold_completion and target.endswith("PutItem") and b'"status": {"S": "completed"}' in body
            if held:
                self._hold_completion = False
                self._open.clear()
        return held

    def _deliver_late(self, call: BaseHTTPRequestHandler, body: bytes) -> None:
        found = re.search(rb"JOB#(video_[0-9A-Z]{26})", body)
        assert found, "a completion without a job"
        job_id = found[1].decode()
        try:
            taken_over = wait_until(lambda: self._taken_over(job_id), limit_s=LATEST_S)
        finally:
            self._open.set()
        if wait_until(lambda: self._ended(job_id), limit_s=LATEST_S) and taken_over:
            self._count(LATE)
        self._delivered.set()
        self._relay(call, body)

    def _wait_while_blocked(self) -> None:
        if not self._open.is_set():
            self._count("held call")
            self._open.wait(LATEST_S)
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


def wait_until(probe: Callable[[], bool], *, limit_s: float) -> bool:
    """Whether `probe` came true within `limit_s`."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if probe():
            return True
        time.sleep(LOOK_S)
    return False


def _answer(call: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
    call.send_response_only(status)
    for name, value in headers.items():
        call.send_header(name, value)
    if "Content-Length" not in headers:
        call.send_header("Content-Length", str(len(body)))
    call.end_headers()
    if call.command != "HEAD":
        call.wfile.write(body)
