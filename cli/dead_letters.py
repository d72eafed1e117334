"""`dead-letters`: jobs that killed their workers too often. For operators: it needs AWS credentials, not an API key."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.exits import CliError, Exit
from cli.group import Commands
from cli.operator import operating
from cli.session import Session, with_session
from cli.text import shortened

if TYPE_CHECKING:
    from jobs.dead_letters import DeadLetters

app = typer.Typer(cls=Commands, help="Jobs that killed their workers too often.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="VIDEO_ID")]


@app.command("list")
@with_session
def list_letters(session: Session) -> None:
    """All of them, oldest first."""
    from jobs.dead_letter_commands import shown

    with _letters(session) as letters:
        found = [shown(letter) for letter in letters.list()]
    table = Table(box=None, pad_edge=False)
    for name in ("video", "model", "buried", "status", "reason"):
        table.add_column(name, overflow="fold")
    for each in found:
        reason = escape(shortened(each["reason"] or "", 80))
        table.add_row(each["job_id"], each["model"] or "", each["buried_at"], each["status"], reason)
    session.emit({"object": "list", "data": found}, table if found else "There are none.")


@app.command()
@with_session
def show(session: Session, video_id: Id) -> None:
    """One of them, with every attempt."""
    from jobs.dead_letter_commands import shown

    with _letters(session) as letters:
        letter = letters.show(video_id)
    job = letter.job
    attempts = [] if job is None else [each.model_dump(mode="json", exclude_none=True) for each in job.attempts]
    table = Table(title=escape(letter.reason or "no reason given"), title_justify="left", box=None, pad_edge=False)
    for name in ("attempt", "instance", "outcome", "last step", "reason"):
        table.add_column(name, overflow="fold")
    for each in attempts:
        cells = (str(each["number"]), each["instance_id"], each["outcome"], str(each["last_step"]))
        table.add_row(*cells, escape(each.get("reason", "")))
    session.emit({**shown(letter), "attempts": attempts}, table)


@app.command()
@with_session
def redrive(session: Session, video_id: Id) -> None:
    """Try it again from its beginning, its crashes forgiven."""
    with _letters(session) as letters:
        job = letters.redrive(video_id)
    told = f"{job.id} is {job.status}. Next: revalida watch {job.id}"
    session.emit({"job_id": job.id, "status": job.status, "next_attempt": job.attempt + 1}, told)


@app.command()
@with_session
def discard(session: Session, video_id: Id) -> None:
    """Remove its letters, and leave it failed."""
    from jobs.dead_letters import NoDeadLetter

    with _letters(session) as letters:
        removed = letters.discard(video_id)
        if not removed:
            raise NoDeadLetter(video_id)
    session.emit({"job_id": video_id, "removed": removed}, f"{video_id}: {removed} letters are gone")


@contextmanager
def _letters(session: Session) -> "Iterator[DeadLetters]":
    """The deployment's dead letters; the domain's errors become CliErrors."""
    from jobs.dead_letters import DeadLetters, NoDeadLetter
    from jobs.errors import JobNotFound, NotRedrivable
    from jobs.queue import JobQueues
    from jobs.store import JobStore

    with operating(session) as deployment:
        store = JobStore(deployment.name("table"), client=deployment.dynamodb)
        queues = JobQueues(deployment.name("queue_prefix"), client=deployment.sqs)
        try:
            yield DeadLetters(store=store, queues=queues)
        except (NoDeadLetter, JobNotFound) as error:
            raise CliError(str(error), Exit.NOT_FOUND, hint="revalida dead-letters list shows what there is") from error
        except NotRedrivable as error:
            raise CliError(str(error), Exit.REFUSED, hint="revalida dead-letters discard removes its letter") from error
