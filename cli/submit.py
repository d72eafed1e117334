"""`submit`, `remix`, `extend`, `edit`: a request on its way."""

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.exits import CliError, Exit, usage
from cli.files import fetch, target_of
from cli.options import Asked, Continued, Sending
from cli.request import Parsed, form_of, read_file, read_prompt
from cli.session import Session, with_session
from cli.text import size_of, span, usd
from cli.waiting import Video, exit_for, finish, follow

Source = Annotated[str, typer.Argument(metavar="VIDEO_ID", help="A completed video.")]


@with_session
def submit(
    session: Session,
    asked: Asked,
    sending: Sending,
    prompt: Annotated[str | None, typer.Argument(help="What the video shows; - reads it from stdin.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A file with one request (.txt .md .json .yaml).")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only say what it would take and cost.", rich_help_panel="Doing")
    ] = False,
) -> None:
    """Ask for a video: from text, a file, shots or an image."""
    given = _given(prompt, asked)
    if file is None and not given.get("prompt") and not given.get("shots"):
        raise usage("There is no prompt", hint='revalida submit "a red circle moves to the right"')
    fields, texts = (given, False) if file is None else _laid_over(file, given)
    if estimate:
        _quote(session, fields, texts)
        return
    _send(session, "/videos", fields, sending, texts=texts)


@with_session
def remix(
    session: Session,
    video_id: Source,
    prompt: Annotated[str, typer.Argument(help="What the new one shows; - reads it from stdin.")],
    asked: Asked,
    sending: Sending,
) -> None:
    """The same video by another prompt; what is not given stays as it was."""
    _send(session, f"/videos/{video_id}/remix", _given(prompt, asked), sending)


@with_session
def extend(
    session: Session,
    video_id: Source,
    prompt: Annotated[str, typer.Argument(help="What comes after it.")],
    asked: Continued,
    sending: Sending,
) -> None:
    """A video and what comes after it, as one."""
    _send(session, "/videos/extensions", {**_given(prompt, asked), "video": {"id": video_id}}, sending)


@with_session
def edit(
    session: Session,
    video_id: Source,
    prompt: Annotated[str, typer.Argument(help="What the new one shows.")],
    asked: Continued,
    sending: Sending,
) -> None:
    """A new video that begins at the first frame of another."""
    _send(session, "/videos/edits", {**_given(prompt, asked), "video": {"id": video_id}}, sending)


def _given(prompt: str | None, asked: Continued) -> dict[str, Any]:
    return asked.body() if prompt is None else {"prompt": read_prompt(prompt), **asked.body()}


def _laid_over(path: Path, given: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The request of the file, with what was given beside it laid over it; and whether its values are texts."""
    entry = _only(read_file(path), path)
    if entry.error is not None:
        message = f"{path}, line {entry.line}: {entry.error.message}"
        raise CliError(
            message, Exit.REFUSED, hint=f"correct {path.name}", param=entry.error.param, code=entry.error.code
        )
    if entry.texts:
        return {**entry.fields, **form_of(given)}, True
    return {**entry.fields, **given}, False


def _only(entries: list[Parsed], path: Path) -> Parsed:
    if len(entries) > 1:
        raise usage(f"{path} holds {len(entries)} requests", hint=f"revalida batch {path}")
    return entries[0]


def _send(session: Session, path: str, fields: dict[str, Any], sending: Sending, *, texts: bool = False) -> None:
    # A key of our own makes it safe to send again when the connection breaks.
    key = sending.idempotency_key or str(uuid.uuid4())
    if texts:
        video: Video = session.api.post_form(path, form_of(fields), idempotency_key=key).body
    else:
        video = session.api.post(path, fields, idempotency_key=key).body
    if not (sending.wait or sending.output):
        session.emit(video, _accepted(video))
        return
    session.note(_accepted(video))
    ended = follow(session, [video], timeout_s=sending.timeout)
    if sending.output is not None and exit_for(ended) is Exit.OK:
        target = target_of(ended[0], "video", sending.output)
        written = fetch(session, ended[0], "video", target, force=True)
        session.emit(ended[0], f"{target} ({size_of(written)}), {usd(ended[0]['cost']['actual_usd'])}")
        return
    if session.as_json:
        session.emit(ended[0])
    finish(session, ended)


def _accepted(video: Video) -> str:
    place = f", place {video['queue_position']} in the queue" if video.get("queue_position") else ""
    left = f", done in about {span(video['eta_seconds'])}" if video.get("eta_seconds") is not None else ""
    return f"{video['id']} is {video['status'].replace('_', ' ')}{place}{left}. Next: revalida watch {video['id']}"


def _quote(session: Session, fields: dict[str, Any], texts: bool) -> None:
    if texts:
        quote = session.api.post_form("/videos/estimate", form_of(fields), idempotency_key=str(uuid.uuid4())).body
    else:
        quote = session.api.post("/videos/estimate", fields).body
    session.emit(quote, _quote_table(quote))
    if quote["feasible"] is False:
        hint = "change what the reason names, or revalida models for what runs here"
        raise CliError(f"This fleet cannot run it: {quote['reason']}", Exit.REFUSED, hint=hint)


def _quote_table(quote: dict[str, Any]) -> Table:
    table = Table(title=f"{quote['model']}, {quote['size']}, {quote['num_frames']} frames", show_header=False)
    fits = {True: "yes", False: "no", None: "not known yet: no instance has reported"}[quote["feasible"]]
    rows = {
        "runs here": fits,
        "on": quote["slot"],
        "computing": span(quote["compute_seconds"]),
        "loading the model": span(quote["load_seconds"]),
        "cost": usd(quote["cost_usd"]),
        "steps": str(quote["num_inference_steps"]),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
