"""Following videos to their end: bars on a terminal, lines elsewhere, and a way back after Ctrl-C."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from cli.exits import CliError, Exit
from cli.session import Session, err
from cli.text import how_it_ended, span, state_of

Video = dict[str, Any]
ENDED = frozenset(("completed", "failed", "cancelled"))
MAX_POLL_S = 15.0


def follow(
    session: Session,
    videos: Sequence[Video],
    *,
    timeout_s: float | None = None,
    on_change: Callable[[Video], None] | None = None,
) -> list[Video]:
    """The videos as they ended, in the order given.

    Raises CliError (STILL_RUNNING) after `timeout_s` seconds; Ctrl-C leaves the videos running, says how to come back
    and exits."""
    way_back = f"revalida watch {' '.join(video['id'] for video in videos)}"
    with session.leaving(f"Still under way. Come back with: {way_back}"), _Display(session) as display:
        return _until_ended(session, videos, display, timeout_s, on_change or _unheard)


def _unheard(_video: Video) -> None:
    """Where nobody wants to know of changes."""


def exit_for(videos: Sequence[Video]) -> Exit:
    """OK only if every video was completed."""
    return Exit.OK if all(video["status"] == "completed" for video in videos) else Exit.FAILED


def finish(session: Session, videos: Sequence[Video]) -> None:
    """Say how each ended, and exit with 1 if one did not complete."""
    if not session.as_json:
        for video in videos:
            typer.echo(how_it_ended(video))
    if exit_for(videos) is not Exit.OK:
        raise typer.Exit(Exit.FAILED)


def _until_ended(
    session: Session,
    videos: Sequence[Video],
    display: "_Display",
    timeout_s: float | None,
    on_change: Callable[[Video], None],
) -> list[Video]:
    until = None if timeout_s is None else time.monotonic() + timeout_s
    latest = {video["id"]: video for video in videos}
    shown: dict[str, object] = {}
    due = dict.fromkeys(latest, 0.0)
    while True:
        for video_id in [each for each, video in latest.items() if due[each] <= time.monotonic()]:
            if shown and latest[video_id]["status"] not in ENDED:
                reply = session.api.get(f"/videos/{video_id}")
                latest[video_id] = reply.body
                due[video_id] = time.monotonic() + min(reply.poll_after_s, MAX_POLL_S)
            video = latest[video_id]
            display.show(video)
            if shown.get(video_id) != _seen(video):
                shown[video_id] = _seen(video)
                on_change(video)
        open_ones = [each for each, video in latest.items() if video["status"] not in ENDED]
        if not open_ones:
            return list(latest.values())
        if until is not None and time.monotonic() >= until:
            hint = f"revalida watch {' '.join(open_ones)}"
            raise CliError(f"Not ended within {timeout_s:g} s; it goes on", Exit.STILL_RUNNING, hint=hint)
        _sleep_to(min(due[each] for each in open_ones), until)


def _sleep_to(due: float, until: float | None) -> None:
    now = time.monotonic()
    time.sleep(max(0.0, (due if until is None else min(due, until)) - now))


def _seen(video: Video) -> tuple[object, ...]:
    return video["status"], video["step"], video.get("phase"), len(video["attempts"])


class _Display:
    """Bars on a terminal, lines elsewhere, nothing with `--json`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._console = err()
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, str] = {}
        if self._console.is_terminal and not session.as_json:
            columns = (TextColumn("{task.fields[video]}"), BarColumn(24), TextColumn("{task.percentage:>3.0f}%"))
            self._bars = Progress(*columns, TextColumn("{task.description}"), console=self._console)

    def __enter__(self) -> "_Display":
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the terminal as it was."""
        if self._bars is not None:
            self._bars.stop()

    def show(self, video: Video) -> None:
        text = describe(video)
        if self._bars is None:
            if not self._session.as_json and self._said.get(video["id"]) != _stage(video):
                self._said[video["id"]] = _stage(video)
                self._session.note(f"{video['id']}  {text}")
            return
        task = self._tasks.get(video["id"])
        if task is None:
            task = self._tasks[video["id"]] = self._bars.add_task(text, total=100, video=video["id"])
        self._bars.update(task, completed=video["progress"], description=text)


def _stage(video: Video) -> str:
    return f"{video['status']} {video.get('phase') or ''}"


def describe(video: Video) -> str:
    """Where the video stands and when it will be done, in a few words."""
    words = [state_of(video)]
    if video["status"] == "queued" and video.get("queue_position"):
        words.append(f"place {video['queue_position']} in the queue")
    if video["status"] == "in_progress" and video.get("phase") == "denoise" and video["total_steps"]:
        words.append(f"step {video['step']} of {video['total_steps']}")
    elif video["status"] == "in_progress" and video.get("phase"):
        words.append(str(video["phase"]))
    if video["status"] not in ENDED and video.get("eta_seconds") is not None:
        words.append(f"about {span(video['eta_seconds'])} left")
    return ", ".join(words)
