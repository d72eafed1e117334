"""A stand-in for the instance metadata service that can give notice. MiniStack's always answers `none`."""

import contextlib
import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "stand-in-token"


class StandInImds:
    """One instance's metadata on loopback. IMDSv2: without a token every read is 401."""

    def __init__(self, *, life_cycle: str = "spot") -> None:
        self.paths: dict[str, str] = {"instance-life-cycle": life_cycle}
        self.tokens_given = 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            def handle(self) -> None:
                # An agent that was paused or killed does not wait for its answer.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    super().handle()

            def do_PUT(self) -> None:
                service.tokens_given += 1
                self._answer(200, TOKEN)

            def do_GET(self) -> None:
                if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
                    self._answer(401, "")
                    return
                text = service.paths.get(self.path.removeprefix("/latest/meta-data/"))
                self._answer(404 if text is None else 200, text or "")

            def log_message(self, format: str, *args: object) -> None:
                return

            def _answer(self, status: int, text: str) -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def give_spot_notice(self, *, in_s: float) -> None:
        at = datetime.now(UTC) + timedelta(seconds=in_s)
        self.paths["spot/instance-action"] = json.dumps({"action": "terminate", "time": at.isoformat()})

    def recommend_rebalance(self) -> None:
        self.paths["events/recommendations/rebalance"] = json.dumps({"noticeTime": datetime.now(UTC).isoformat()})

    def terminate_by_group(self) -> None:
        self.paths["autoscaling/target-lifecycle-state"] = "Terminated"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
