"""`submit`, `remix`, `extend`, `edit`: a request on its way."""

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli import request
from cli.exits import CliError, Exit, usage
from cli.files import fetch, target_of
from cli.request import Parsed, body_of, form_of, read_file, read_prompt
from cli.session import Session, with_session
from cli.text import size_of, span, usd
from cli.waiting import Video, exit_for, finish, follow

_DOING = "Doing"
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Follow it to its end.", rich_help_panel=_DOING)]
Timeout = Annotated[
    float | None, typer.Option(min=0, metavar="S", help="Wait at most so long.", rich_help_panel=_DOING)
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Wait, and write the video here (a file or a folder).", rich_help_panel=_DOING),
]
Ask = Annotated[bool, typer.Option("--estimate", help="Only say what it would take and cost.", rich_help_panel=_DOING)]
Key = Annotated[
    str | None,
    typer.Option(
        metavar="KEY", help="The same key and request make one video, however often sent.", rich_help_panel=_DOING
    ),
]
Prompt = Annotated[str | None, typer.Argument(help="What the video shows; - reads it from stdin.")]


@with_session
def submit(
    session: Session,
    prompt: Prompt = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A file with one request (.txt .md .json .yaml).")
    ] = None,
    model: request.Model = None,
    size: request.Size = None,
    seconds: request.Seconds = None,
    frames: request.Frames = None,
    fps: request.Fps = None,
    seed: request.Seed = None,
    steps: request.Steps = None,
    guidance: request.Guidance = None,
    guidance_2: request.Guidance2 = None,
    negative: request.Negative = None,
    image: request.Image = None,
    shot: request.Shots = None,
    continuity: request.Join = None,
    lora: request.Loras = None,
    tier: request.Numerics = None,
    priority: request.Urgency = None,
    deadline: request.Deadline = None,
    metadata: request.Metadata = None,
    codec: request.OutputCodec = None,
    upscale: request.Upscale = None,
    interpolate: request.Interpolate = None,
    wait: Wait = False,
    timeout: Timeout = None,
    output: Output = None,
    estimate: Ask = False,
    idempotency_key: Key = None,
) -> None:
    """Ask for a video: from text, a file, shots or an image."""
    options = dict(locals())
    fields, texts = _fields(options)
    if estimate:
        _quote(session, fields, texts)
        return
    _send(session, "/videos", fields, texts=texts, options=options)


@with_session
def remix(
    session: Session,
    video_id: Annotated[str, typer.Argument(help="A completed video.")],
    prompt: Annotated[str, typer.Argument(help="What the new one shows; - reads it from stdin.")],
    model: request.Model = None,
    size: request.Size = None,
    seconds: request.Seconds = None,
    frames: request.Frames = None,
    seed: request.Seed = None,
    steps: request.Steps = None,
    guidance: request.Guidance = None,
    negative: request.Negative = None,
    metadata: request.Metadata = None,
    wait: Wait = False,
    timeout: Timeout = None,
    output: Output = None,
    idempotency_key: Key = None,
) -> None:
    """The same video by another prompt; what is not given stays as it was."""
    options = dict(locals())
    fields, texts = _fields(options)
    _send(session, f"/videos/{video_id}/remix", fields, texts=texts, options=options)


@with_session
def extend(
    session: Session,
    video_id: Annotated[str, typer.Argument(help="A completed video.")],
    prompt: Annotated[str, typer.Argument(help="What comes after it.")],
    seconds: request.Seconds = None,
    frames: request.Frames = None,
    model: request.Model = None,
    seed: request.Seed = None,
    steps: request.Steps = None,
    wait: Wait = False,
    timeout: Timeout = None,
    output: Output = None,
    idempotency_key: Key = None,
) -> None:
    """A video and what comes after it, as one."""
    options = dict(locals())
    fields, texts = _fields(options)
    _send(session, "/videos/extensions", {**fields, "video": {"id": video_id}}, texts=texts, options=options)


@with_session
def edit(
    session: Session,
    video_id: Annotated[str, typer.Argument(help="A completed video.")],
    prompt: Annotated[str, typer.Argument(help="What the new one shows.")],
    model: request.Model = None,
    seconds: request.Seconds = None,
    frames: request.Frames = None,
    seed: request.Seed = None,
    steps: request.Steps = None,
    wait: Wait = False,
    timeout: Timeout = None,
    output: Output = None,
    idempotency_key: Key = None,
) -> None:
    """A new video that begins at the first frame of another."""
    options = dict(locals())
    fields, texts = _fields(options)
    _send(session, "/videos/edits", {**fields, "video": {"id": video_id}}, texts=texts, options=options)


def _fields(options: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The request of the file, with the options laid over it; and whether its values are texts."""
    prompt = options["prompt"]
    options = {**_NO_OPTIONS, **options, "prompt": None if prompt is None else read_prompt(prompt)}
    given = body_of(options)
    path = options.get("file")
    if path is None:
        if not given.get("prompt") and not given.get("shots"):
            raise usage("There is no prompt", hint='revalida submit "a red circle moves to the right"')
        return given, False
    entry = _only(read_file(path), path)
    if entry.error is not None:
        message = f"{path}, line {entry.line}: {entry.error.message}"
        raise CliError(
            message, Exit.REFUSED, hint=f"correct {path.name}", param=entry.error.param, code=entry.error.code
        )
    if entry.texts:
        return {**entry.fields, **form_of(given)}, True
    return {**entry.fields, **given}, False


_NO_OPTIONS = dict.fromkeys(
    (
        *("model", "negative", "size", "seconds", "frames", "fps", "seed", "steps", "guidance", "guidance_2"),
        *("continuity", "tier", "priority", "deadline", "image", "shot", "lora", "metadata"),
        *("codec", "upscale", "interpolate"),
    )
)


def _only(entries: list[Parsed], path: Path) -> Parsed:
    if len(entries) > 1:
        raise usage(f"{path} holds {len(entries)} requests", hint=f"revalida batch {path}")
    return entries[0]


def _send(session: Session, path: str, fields: dict[str, Any], *, texts: bool, options: dict[str, Any]) -> None:
    # A key of our own makes it safe to send again when the connection breaks.
    key = options["idempotency_key"] or str(uuid.uuid4())
    if texts:
        video: Video = session.api.post_form(path, form_of(fields), idempotency_key=key).body
    else:
        video = session.api.post(path, fields, idempotency_key=key).body
    if not (options["wait"] or options["output"]):
        session.emit(video, _accepted(video))
        return
    session.note(_accepted(video))
    ended = follow(session, [video], timeout_s=options["timeout"])
    if options["output"] is not None and exit_for(ended) is Exit.OK:
        target = target_of(ended[0], "video", options["output"])
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
