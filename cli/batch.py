"""`batch`: every request of a file, sent once each however often the command is run."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli import batch_state
from cli.batch_quote import quote
from cli.batch_state import BatchState, Row, rows_of
from cli.batch_work import download, follow, forget_failed, submit
from cli.exits import CliError, Exit, usage
from cli.request import read_file
from cli.session import Session, with_session
from cli.text import shortened


@with_session
def batch(
    session: Session,
    file: Annotated[Path, typer.Argument(help="A .csv, .jsonl, .json or .yaml with one request a row.")],
    wait_: Annotated[bool, typer.Option("--wait", "-w", help="Follow the videos to their end.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Wait, and write the videos into this folder.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=32, help="Requests and downloads at once.")] = 4,
    state: Annotated[Path | None, typer.Option(help="State file; FILE.revalida.jsonl if left out.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Make videos that failed anew.")] = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what the lot would take and cost.")] = False,
) -> None:
    """Send every request of a file. Run it again to go on: what was sent is not sent twice."""
    rows = rows_of(read_file(file))
    if estimate:
        quote(session, rows, concurrency)
        return
    if output is not None and not output.is_dir():
        raise usage(f"There is no folder {output}", hint=f"mkdir -p {output}")
    state_file = state or file.with_name(f"{file.name}.revalida.jsonl")
    with batch_state.opened(state_file, api_base=session.config.api_base) as known:
        if retry_failed:
            forget_failed(rows, known)
        way_back = f"Run the same command again to go on from here ({state_file})."
        with session.leaving(f"Stopped; what was sent goes on. {way_back}"):
            submit(session, rows, known, concurrency)
            if wait_ or output is not None:
                follow(session, rows, known)
            if output is not None:
                download(session, rows, known, output, file.name, concurrency)
        _report(session, file, state_file, rows, known)


def _report(session: Session, file: Path, state_file: Path, rows: Sequence[Row], known: BatchState) -> None:
    shown = [
        {"line": row.line, **{k: v for k, v in known.of(row).items() if k not in {"line", "tries"}}} for row in rows
    ]
    counts = Counter(str(each["status"]) for each in shown)
    body = {"object": "batch", "file": str(file), "state": str(state_file), "counts": dict(counts), "rows": shown}
    table = Table(box=None, pad_edge=False)
    for name in ("line", "status", "video", "what"):
        table.add_column(name, justify="right" if name == "line" else "left", overflow="fold")
    for each in shown:
        error = each.get("error") or {}
        what = each.get("path") or shortened(str(error.get("message", "")), 100)
        table.add_row(str(each["line"]), str(each["status"]), str(each.get("job_id") or ""), escape(what))
    session.emit(body, table, ", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
    if counts["failed"] or counts["cancelled"] or counts["deleted"]:
        raise CliError("Not every video was completed", Exit.FAILED, hint="add --retry-failed to make those anew")
    if counts["rejected"]:
        message = f"{counts['rejected']} of {len(rows)} rows were rejected"
        raise CliError(message, Exit.REFUSED, hint=f"correct them in {file} and run this again")
