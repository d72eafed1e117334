"""The HTTP side: one client, and the one place that turns answers into errors with a next step."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from cli.config import Config
from cli.exits import CliError, Exit

TRIES = 4  # of what may be repeated: a read, or a POST with an idempotency key
BACKOFF_S = 0.5  # doubled with each try, unless the server says `retry-after`
MAX_BACKOFF_S = 20.0
_TIMEOUT = httpx.Timeout(35.0, connect=10.0)  # API Gateway answers within 30 s
_PASSING = {429, 502, 503, 504}
_REQUEST_ID = ("x-request-id", "apigw-requestid", "x-amzn-requestid")


_WHERE_TO_LOOK = {
    "video_not_found": "revalida list shows what there is",
    "model_not_found": "revalida models shows what there is",
    "webhook_not_found": "revalida webhooks list shows what there is",
    "character_not_found": "revalida characters list shows what there is",
    "key_not_found": "revalida keys list shows what there is",
}


class Reply(NamedTuple):
    """A good answer; `poll_after_s` is when the server wants to be asked again."""

    body: Any
    poll_after_s: float


class Api:
    """Calls the API. `log` gets a line for each exchange (`--verbose`); the key is in none of them."""

    def __init__(
        self, config: Config, *, log: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.config = config
        self._log = log
        self._sleep = sleep
        headers = {"authorization": f"Bearer {config.api_key}", "user-agent": "revalida-cli"}
        try:
            self._http = httpx.Client(base_url=config.api_base, headers=headers, timeout=_TIMEOUT)
        except (httpx.InvalidURL, UnicodeEncodeError, ValueError) as error:
            # Not the error's own text: it may quote the key.
            message = f"The address or the key (from {config.key_from}) has characters that HTTP does not take"
            raise CliError(message, Exit.USAGE, hint="copy the key again, without spaces") from error

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int | None) -> Reply:
        return self._send("GET", path, params={name: value for name, value in query.items() if value is not None})

    def pages(self, path: str, **query: str | int | None) -> Iterator[dict[str, Any]]:
        """A list page by page, from its first on."""
        after: str | None = None
        while True:
            page: dict[str, Any] = self.get(path, **query, after=after).body
            yield page
            after = page["last_id"]
            if not page["has_more"] or after is None:
                return

    def post(self, path: str, body: Any = None, *, idempotency_key: str | None = None) -> Reply:
        content = {} if body is None else {"json": body}
        return self._send("POST", path, idempotency_key=idempotency_key, **content)

    def post_form(self, path: str, fields: Mapping[str, str], *, idempotency_key: str) -> Reply:
        """The fields as texts, which the server reads by their types (the rows of a CSV file)."""
        return self._send("POST", path, idempotency_key=idempotency_key, data=dict(fields))

    def put(self, path: str, body: Any) -> Reply:
        return self._send("PUT", path, json=body)

    def delete(self, path: str) -> Reply:
        return self._send("DELETE", path)

    def download(self, path: str, target: Path, *, on_bytes: Callable[[int, int], None]) -> int:
        """The file behind `path`, written whole or not at all; returns its bytes. `on_bytes` hears done, total.

        The signed URL that the API answers with is fetched without the key."""
        answer = self._exchange("GET", path, {})
        if answer.status_code not in {301, 302, 303, 307, 308}:
            raise_for(answer)
            raise CliError("The server sent no address for the file", Exit.UNREACHABLE, hint="try again in a minute")
        unfinished = target.with_name(f".{target.name}.part")
        try:
            with httpx.stream("GET", answer.headers["location"], timeout=_TIMEOUT, follow_redirects=True) as file:
                if file.is_error:
                    raise CliError(
                        f"The file store answered {file.status_code}", Exit.UNREACHABLE, hint="run this again"
                    )
                size = _write(file, unfinished, on_bytes)
            unfinished.replace(target)
        except httpx.TransportError as error:
            raise unreachable("the file store", error) from error
        except OSError as error:
            raise CliError(
                f"{target} cannot be written: {error.strerror}", Exit.USAGE, hint="choose another --output"
            ) from error
        finally:
            unfinished.unlink(missing_ok=True)
        return size

    def _send(self, method: str, path: str, *, idempotency_key: str | None = None, **content: Any) -> Reply:
        headers = {} if idempotency_key is None else {"idempotency-key": idempotency_key}
        repeatable = method in {"GET", "DELETE", "PUT"} or idempotency_key is not None
        is_in_doubt = False  # whether a try may have been carried out whose answer nobody knows
        for attempt in range(1, (TRIES if repeatable else 1) + 1):
            last = attempt == TRIES or not repeatable
            try:
                answer = self._exchange(method, path, headers, **content)
            except CliError:
                if last:
                    raise
                is_in_doubt = True
                self._sleep(_backoff_s(attempt, None))
                continue
            if answer.status_code not in _PASSING or last or not _is_worth_waiting(answer):
                break
            is_in_doubt |= answer.is_server_error
            self._sleep(_backoff_s(attempt, answer.headers.get("retry-after")))
        if method == "DELETE" and is_in_doubt and answer.status_code == httpx.codes.NOT_FOUND:
            # A try before this removed it.
            return Reply({"id": path.rsplit("/", 1)[1], "deleted": True}, _poll_after_s(answer))
        raise_for(answer)
        return Reply(_json(answer), _poll_after_s(answer))

    def _exchange(self, method: str, path: str, headers: Mapping[str, str], **content: Any) -> httpx.Response:
        begun = time.monotonic()
        try:
            answer = self._http.request(method, path, headers=dict(headers), **content)
        except httpx.TransportError as error:
            self._log(f"{method} {path}: {type(error).__name__}")
            raise unreachable(self.config.api_base, error) from error
        took_s = time.monotonic() - begun
        self._log(
            f"{method} {path}: {answer.status_code} in {took_s:.2f} s, request id {request_id(answer) or 'not given'}"
        )
        return answer


def unreachable(where: str, error: httpx.TransportError) -> CliError:
    """Nobody answered."""
    why = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "cannot be reached"
    hint = "check the address and that the system runs (locally: make run)"
    return CliError(f"{where} {why}", Exit.UNREACHABLE, hint=hint, code=type(error).__name__)


def raise_for(answer: httpx.Response) -> None:
    """Raises CliError for an answer that is none. Redirects are the caller's."""
    if answer.status_code < 400:
        return
    told = _error_of(answer)
    exit_code, hint = _ending(answer.status_code, str(told.get("code") or ""), told.get("param"))
    raise CliError(
        str(told.get("message") or f"The server answered {answer.status_code}"),
        exit_code,
        hint=hint,
        param=told.get("param"),
        code=told.get("code"),
        request_id=request_id(answer),
    )


def request_id(answer: httpx.Response) -> str | None:
    """What the operator finds the request by in the logs."""
    return next((answer.headers[name] for name in _REQUEST_ID if name in answer.headers), None)


def _ending(status: int, code: str, param: str | None) -> tuple[Exit, str]:
    if status == 403:
        return Exit.AUTH, "use a key that has the scope (an administrator makes keys: revalida keys create)"
    if status == 401:
        return Exit.AUTH, "check REVALIDA_API_KEY (an operator makes keys: revalida keys create --operator)"
    if status == 404:
        return Exit.NOT_FOUND, _WHERE_TO_LOOK.get(code, "check the address: revalida doctor")
    if status == 402:
        return Exit.LIMITED, "wait for the next month, or have the key's budget raised (revalida keys update)"
    if status == 429:
        return Exit.LIMITED, "wait a minute and run this again"
    if status >= 500:
        return Exit.UNREACHABLE, "run this again in a minute; --verbose shows the request id for the operator"
    return Exit.REFUSED, _next_step(code, param)


def _next_step(code: str, param: str | None) -> str:
    if code == "idempotency_key_reused":
        return "use another --idempotency-key, or send the request that it stood for"
    if code in {"video_not_ready", "video_not_completed"}:
        return "revalida watch follows it to its end"
    if code == "model_not_found" or param == "model":
        return "revalida models lists what there is"
    if param in {"size", "seconds", "num_frames", "fps", "num_inference_steps", "guidance_scale"}:
        return f"change {param}; revalida models MODEL shows what the model makes"
    return f"change {param} and run this again" if param else "correct the request and run this again"


def _error_of(answer: httpx.Response) -> dict[str, Any]:
    """The API's error object; empty if somebody else answered."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    told = body.get("error") if isinstance(body, dict) else None
    return told if isinstance(told, dict) else {}


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        message = f"{answer.url.host} answered something that is not this API"
        raise CliError(message, Exit.UNREACHABLE, hint="check the address: it ends in /v1") from error


def _is_worth_waiting(answer: httpx.Response) -> bool:
    """Not for a limit that holds until midnight, say."""
    said = answer.headers.get("retry-after", "")
    return answer.headers.get("x-should-retry") != "false" and (not said.isdecimal() or int(said) <= MAX_BACKOFF_S)


def _backoff_s(attempt: int, retry_after: str | None) -> float:
    if retry_after is not None and retry_after.isdecimal():
        return min(MAX_BACKOFF_S, float(retry_after))
    return min(MAX_BACKOFF_S, BACKOFF_S * float(2 ** (attempt - 1)))


def _poll_after_s(answer: httpx.Response) -> float:
    said = answer.headers.get("openai-poll-after-ms", "")
    return int(said) / 1000 if said.isascii() and said.isdecimal() else 1.0


def _write(file: httpx.Response, path: Path, on_bytes: Callable[[int, int], None]) -> int:
    total, done = int(file.headers.get("content-length", 0)), 0
    with path.open("wb") as out:
        for piece in file.iter_bytes(1 << 16):
            out.write(piece)
            done += len(piece)
            on_bytes(done, total)
    return done


@contextmanager
def opened(api: Api) -> Iterator[Api]:
    """Closes the client at the end."""
    try:
        yield api
    finally:
        api.close()


def to_stderr(line: str) -> None:
    """Where `--verbose` writes."""
    sys.stderr.write(f"{line}\n")
