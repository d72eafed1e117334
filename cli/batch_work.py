"""The parts of a batch: sending, following, downloading, each noted in the state file as it happens."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.batch_state import BatchState, Row
from cli.exits import CliError, Exit
from cli.files import fetch
from cli.request import form_of
from cli.session import Session, err
from cli.waiting import ENDED

POLL_S = 2.0
PAGE = 100  # the API's most
PASSING = frozenset((Exit.LIMITED, Exit.UNREACHABLE, Exit.AUTH))  # no fault of the row: the run stops
_OVER = ENDED | {"deleted"}


def forget_failed(rows: Sequence[Row], known: BatchState) -> None:
    """Those whose video did not come about are sent again, under another key."""
    for row in rows:
        if known.of(row).get("status") in {"failed", "cancelled", "deleted"}:
            known.record(row, job_id=None, status=None, error=None, path=None, tries=known.of(row).get("tries", 1) + 1)


def submit(session: Session, rows: Sequence[Row], known: BatchState, concurrency: int) -> None:
    """Send what was not sent. What the API refuses is noted; what is no fault of the row ends the run (CliError)."""

    def send(row: Row) -> None:
        if row.parsed.error is not None:
            error = row.parsed.error
            known.record(row, status="rejected", error=refusal(error.message, error.param, error.code))
            return
        try:
            video = post(session, "/videos", row, known.key(row))
        except CliError as error:
            if error.exit_code in PASSING:
                raise
            known.record(row, status="rejected", error=refusal(error.message, error.param, error.code))
            return
        known.record(row, job_id=video["id"], status=video["status"], error=None)

    each_of(session, "sending", [row for row in rows if not known.of(row).get("job_id")], send, concurrency)


def post(session: Session, path: str, row: Row, key: str) -> Any:
    """The row's request: JSON, or a form where its values are texts."""
    if row.parsed.texts:
        return session.api.post_form(path, form_of(row.parsed.fields), idempotency_key=key).body
    return session.api.post(path, row.parsed.fields, idempotency_key=key).body


def follow(session: Session, rows: Sequence[Row], known: BatchState) -> None:
    """Until no video of the batch is under way; looks at the list, a hundred videos a call."""
    sent = [row for row in rows if known.of(row).get("job_id")]
    with progress(session, "making", len(sent)) as advance:
        advance(sum(known.of(row)["status"] in ENDED for row in sent))
        while waiting := {known.of(row)["job_id"]: row for row in sent if known.of(row)["status"] not in _OVER}:
            seen = {video["id"]: video for video in _videos_back_to(session, min(waiting))}
            for video_id, row in waiting.items():
                # The list lags behind a little: what it does not show yet is asked for by name.
                video = seen.get(video_id) or _one(session, video_id)
                if video is None:
                    known.record(row, status="deleted")
                elif video["status"] != known.of(row)["status"]:
                    known.record(row, status=video["status"], error=video["error"])
                if known.of(row)["status"] in _OVER:
                    advance(1)
            if any(known.of(row)["status"] not in _OVER for row in sent):
                time.sleep(POLL_S)


def _videos_back_to(session: Session, oldest: str) -> Iterator[dict[str, Any]]:
    """The key's videos from the newest back to `oldest`: ids sort by time."""
    for page in session.api.pages("/videos", limit=PAGE):
        yield from page["data"]
        if page["last_id"] is None or page["last_id"] <= oldest:
            return


def _one(session: Session, video_id: str) -> dict[str, Any] | None:
    try:
        video: dict[str, Any] = session.api.get(f"/videos/{video_id}").body
    except CliError as error:
        if error.exit_code is not Exit.NOT_FOUND:
            raise
        return None
    return video


def download(
    session: Session, rows: Sequence[Row], known: BatchState, folder: Path, name: str, concurrency: int
) -> None:
    """Fetch finished videos as `<file name>.<line>.mp4`, the names of the drop folder."""
    on_line: Counter[int] = Counter()
    wanted = []
    for row in rows:
        on_line[row.line] += 1
        place = str(row.line) if on_line[row.line] == 1 else f"{row.line}-{on_line[row.line]}"
        entry = known.of(row)
        if entry.get("status") == "completed" and not (entry.get("path") and Path(entry["path"]).exists()):
            wanted.append((row, place))

    def take(each: tuple[Row, str]) -> None:
        row, place = each
        video = session.api.get(f"/videos/{known.of(row)['job_id']}").body
        ending = "mov" if video["output"]["codec"] == "prores" else "mp4"
        target = folder / f"{name}.{place}.{ending}"
        fetch(session, video, "video", target, force=True, quiet=True)
        known.record(row, path=str(target))

    each_of(session, "downloading", wanted, take, concurrency)


def each_of(session: Session, doing: str, items: Sequence[Any], work: Callable[[Any], None], concurrency: int) -> None:
    """`work` on every item, `concurrency` at once. The first error ends it, after what is under way is recorded."""
    if not items:
        return
    with progress(session, doing, len(items)) as advance, ThreadPoolExecutor(concurrency) as pool:
        futures = {pool.submit(work, item) for item in items}
        try:
            for done in _as_completed(futures):
                done.result()
                advance(1)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _as_completed(futures: Iterable[Future[None]]) -> Iterator[Future[None]]:
    # Not concurrent.futures.as_completed: a wait without a limit would keep Ctrl-C out on some platforms.
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
        yield from done


@contextmanager
def progress(session: Session, doing: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, a line at the end elsewhere; yields what advances it."""
    console = err()
    hidden = session.as_json or not console.is_terminal
    with Progress(
        TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), console=console, disable=hidden
    ) as bars:
        task = bars.add_task(doing, total=total)
        yield lambda count: bars.advance(task, count)
    if hidden and not session.as_json:
        session.note(f"{doing}: done with {total}")


def refusal(message: str, param: str | None, code: str | None) -> dict[str, str | None]:
    """The API's error, as the state file and `--json` have it."""
    return {"message": message, "param": param, "code": code}
