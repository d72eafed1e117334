"""`list`, `show`, `watch`, `download`, `cancel`, `delete`: what becomes of requests."""

import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.exits import CliError, Exit, usage
from cli.files import fetch, target_of
from cli.options import Timeout
from cli.session import Session, out, with_session
from cli.text import how_it_ended, shortened, size_of, span, state_of, style_of, usd, what_to_do, when
from cli.waiting import finish, follow

PAGE = 100  # the API's most
MIN_PROMPT, BESIDE_PROMPT = 16, 104  # columns: the prompt gives way where the terminal is narrow

Ids = Annotated[list[str], typer.Argument(metavar="VIDEO_ID...", help="One or more videos.")]


class Status(StrEnum):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Order(StrEnum):
    ASC = "asc"
    DESC = "desc"


class Variant(StrEnum):
    VIDEO = "video"
    THUMBNAIL = "thumbnail"
    SPRITESHEET = "spritesheet"


@with_session
def list_videos(
    session: Session,
    status: Annotated[Status | None, typer.Option(help="Only videos of this state.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only videos of this model.")] = None,
    text: Annotated[str | None, typer.Option(help="Only those whose prompt, metadata or id has this text.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="All of them, however many.")] = False,
    after: Annotated[str | None, typer.Option(metavar="VIDEO_ID", help="Go on after this one.")] = None,
    order: Annotated[Order, typer.Option(help="By time of creation.")] = Order.DESC,
) -> None:
    """The videos of your key, newest first."""
    found: list[dict[str, Any]] = []
    has_more = True
    while has_more and (everything or len(found) < limit):
        wanted = PAGE if everything else min(PAGE, limit - len(found))
        asked = {"status": status, "model": model, "text": text, "order": order}
        page = session.api.get("/videos", **asked, limit=wanted, after=after).body
        found += page["data"]
        has_more, after = page["has_more"], page["last_id"]
    table = Table(box=None, pad_edge=False)
    for name in ("id", "status", "model", "size", "seconds", "created (UTC)", "cost", "prompt"):
        table.add_column(name, no_wrap=True, justify="right" if name in {"seconds", "cost"} else "left")
    room = max(MIN_PROMPT, out().width - BESIDE_PROMPT)
    for video in found:
        table.add_row(*_row(video, room))
    session.emit({"object": "list", "data": found, "has_more": has_more}, table)
    if has_more and not session.as_json:
        session.note(f"There are more: revalida list --after {after}")


def _row(video: dict[str, Any], room: int) -> tuple[str, ...]:
    state = state_of(video) if video["status"] != "in_progress" else f"{state_of(video)} {video['progress']}%"
    cost = video["cost"]["actual_usd"]
    return (
        video["id"],
        f"[{style_of(video['status'])}]{state}[/]",
        video["model"],
        video["size"],
        video["seconds"],
        when(video["created_at"])[:16],
        usd(video["cost"]["estimated_usd"] if cost is None else cost),
        escape(shortened(video["prompt"], room)),
    )


@with_session
def show(session: Session, video_id: Annotated[str, typer.Argument(help="The video.")]) -> None:
    """Everything about one video: request, attempts, cost, files."""
    video = session.api.get(f"/videos/{video_id}").body
    tables = [_facts(video)]
    if video["seconds_by_phase"]:
        tables.append(_phases(video))
    if video["attempts"]:
        tables.append(_attempts(video))
    session.emit(video, *tables)


def _facts(video: dict[str, Any]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _fact_rows(video).items():
        if value:
            table.add_row(name, escape(value))
    return table


def _fact_rows(video: dict[str, Any]) -> dict[str, str]:
    error, outputs = video.get("error"), video.get("outputs")
    left = video.get("eta_seconds")
    length = f"{video['size']}, {video['num_frames']} frames at {video['fps']} a second ({video['seconds']} s)"
    return {
        "video": video["id"],
        "status": f"{state_of(video)}, {video['progress']}%",
        "why": "" if error is None else f"{error['message']} ({error['code']})",
        "next": what_to_do(video) if video["status"] == "failed" else "",
        "queue": f"place {video['queue_position']}" if video.get("queue_position") else "",
        "done in": "" if left is None else f"about {span(left)}",
        "model": video["model"],
        "prompt": video["prompt"],
        "negative": video["negative_prompt"],
        "shots": "\n".join(f"{shot['num_frames'] or ''} {shot['prompt']}".strip() for shot in video["shots"]),
        "makes": length,
        "steps": f"{video['num_inference_steps']}, guidance {video['guidance_scale']:g}, seed {video['seed']}",
        "loras": ", ".join(f"{lora['name']} at {lora['scale']:g}" for lora in video["loras"]),
        "made from": ""
        if not video.get("origin")
        else f"{video['origin']['kind']} of {video['origin']['video_id'] or 'an upload'}",
        "came by": " ".join(str(part) for part in video["source"].values() if part is not None),
        "created": f"{when(video['created_at'])} UTC",
        "completed": f"{when(video['completed_at'])} UTC" if video.get("completed_at") else "",
        "cost": f"{usd(video['cost']['actual_usd'])} (estimated {usd(video['cost']['estimated_usd'])})",
        "metadata": ", ".join(f"{name}={value}" for name, value in video["metadata"].items()),
        "file": "" if outputs is None else f"{outputs['width']}x{outputs['height']}, {size_of(outputs['bytes'])}",
    }


def _phases(video: dict[str, Any]) -> Table:
    """Seconds of the slot by phase; money follows them."""
    table = Table(title="Phases", title_justify="left", box=None, pad_edge=False)
    for name in ("phase", "took", "share", "cost"):
        table.add_column(name, justify="left" if name == "phase" else "right")
    total, cost = sum(video["seconds_by_phase"].values()), video["cost"]["actual_usd"]
    for phase, seconds in sorted(video["seconds_by_phase"].items(), key=lambda each: -each[1]):
        share = seconds / total if total else 0.0
        table.add_row(phase, f"{seconds:.1f} s", f"{share:.0%}", usd(None if cost is None else cost * share))
    return table


def _attempts(video: dict[str, Any]) -> Table:
    table = Table(title="Attempts", title_justify="left", box=None, pad_edge=False)
    for name in ("number", "instance", "began (UTC)", "took", "from step", "to step", "outcome", "reason"):
        table.add_column(name, justify="right" if name in {"number", "took", "from step", "to step"} else "left")
    for each in video["attempts"]:
        took = "" if each["ended_at"] is None else span(each["ended_at"] - each["started_at"])
        steps = (str(each["resumed_from_step"]), str(each["last_step"]))
        reason = escape(each["reason"] or "")
        row = (
            str(each["number"]),
            each["instance_id"],
            when(each["started_at"]),
            took,
            *steps,
            each["outcome"],
            reason,
        )
        table.add_row(*row)
    return table


@with_session
def watch(session: Session, video_ids: Ids, timeout: Timeout = None) -> None:
    """Follow videos to their end; with --json, one line for each change."""
    videos = [session.api.get(f"/videos/{video_id}").body for video_id in dict.fromkeys(video_ids)]
    say = (lambda video: typer.echo(json.dumps(video, ensure_ascii=False))) if session.as_json else None
    finish(session, follow(session, videos, timeout_s=timeout, on_change=say))


@with_session
def download(
    session: Session,
    video_ids: Ids,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File or folder; here if left out.")] = None,
    variant: Annotated[Variant, typer.Option(help="Which file.")] = Variant.VIDEO,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Fetch finished files."""
    if len(video_ids) > 1 and output is not None and not output.is_dir():
        raise usage(f"{output} is no folder, and there are {len(video_ids)} videos", hint=f"mkdir {output}")
    written = []
    for video_id in video_ids:
        video = session.api.get(f"/videos/{video_id}").body
        target = target_of(video, variant, output)
        size = fetch(session, video, variant, target, force=force)
        written.append({"id": video_id, "variant": variant, "path": str(target), "bytes": size})
        if not session.as_json:
            typer.echo(f"{target} ({size_of(size)})")
    if session.as_json:
        session.emit({"object": "list", "data": written})


@with_session
def cancel(session: Session, video_ids: Ids) -> None:
    """Stop videos: queued ones at once, running ones within a denoise step."""

    def stop(video_id: str) -> dict[str, Any]:
        video: dict[str, Any] = session.api.post(f"/videos/{video_id}/cancel", idempotency_key=None).body
        return video

    def said(video: dict[str, Any]) -> str:
        return how_it_ended(video) if video["status"] == "cancelled" else f"{video['id']} stops at its next step"

    _with_each(session, video_ids, stop, said)


@with_session
def delete(
    session: Session,
    video_ids: Ids,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove videos and their files for good; work on them stops."""
    if not yes and not typer.confirm(f"Delete {len(video_ids)} video(s) and their files for good?", err=True):
        raise CliError("Nothing was deleted", Exit.INTERRUPTED, hint="add --yes to delete without being asked")

    def remove(video_id: str) -> dict[str, Any]:
        gone: dict[str, Any] = session.api.delete(f"/videos/{video_id}").body
        return gone

    _with_each(session, video_ids, remove, lambda gone: f"{gone['id']} is deleted")


def _with_each(
    session: Session,
    video_ids: list[str],
    act: Callable[[str], dict[str, Any]],
    said: Callable[[dict[str, Any]], str],
) -> None:
    """Act on each video, and say what came of it; one that cannot be acted on keeps no other from it, and is told."""
    done, failed = [], None
    for video_id in video_ids:
        try:
            outcome = act(video_id)
        except CliError as error:
            if len(video_ids) == 1:
                raise
            failed = failed or error
            session.note(f"{video_id}: {error.line}")
            continue
        done.append(outcome)
        if not session.as_json:
            typer.echo(said(outcome))
    if session.as_json:
        session.emit({"object": "list", "data": done})
    if failed is not None:
        raise typer.Exit(failed.exit_code)
