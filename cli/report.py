"""`report`: what a month cost, by tenant and model. For operators: it needs AWS credentials, not an API key."""

import csv
import io
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.exits import usage
from cli.operator import operating
from cli.session import Session, with_session

if TYPE_CHECKING:
    from jobs.report import Line, Report

_COLUMNS = ("owner", "model", "completed", "failed", "cancelled", "worked_s", "load_s", "lost_s", "video_s", "usd",
            "shared_usd")  # fmt: skip


@with_session
def report(
    session: Session,
    month: Annotated[str | None, typer.Option(help="YYYY-MM, in UTC; left out, this month so far.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="One line a tenant and model, as CSV.")] = False,
) -> None:
    """What a month cost by tenant and model, and what booting and idling cost."""
    month = month or f"{datetime.now(UTC):%Y-%m}"
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise usage(f"--month {month} is not a month", hint="write it as 2026-11")
    found = _found(session, month)
    if as_csv:
        typer.echo(_csv(found), nl=False)
        return
    lines = [
        {**line.model_dump(), "total_usd": line.total_usd, "usd_per_video": line.usd_per_video} for line in found.lines
    ]
    session.emit({"object": "report", **found.model_dump(), "lines": lines}, _table(found))


def _found(session: Session, month: str) -> "Report":
    from jobs import report as reports
    from jobs.meters import MeterStore
    from jobs.tally import TallyStore

    with operating(session) as deployment:
        table = deployment.name("table")
        tallies = TallyStore(table, client=deployment.dynamodb).month(month)
        meters = MeterStore(table, client=deployment.dynamodb).month(month)
        return reports.report(month, tallies, meters)


def _table(found: "Report") -> Table:
    hours = ", ".join(f"{name} {seconds / 3600:.1f} h" for name, seconds in (
        ("booting", found.boot_s), ("working", found.busy_s), ("idle", found.idle_s)
    ))  # fmt: skip
    title = f"{found.month}: US${found.usd:.2f} for {found.instances} instances ({hours})"
    caption = "US$ of the instances alone; shared: their booting and idling, by what each line's jobs cost"
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left", box=None, pad_edge=False)
    table.add_column("tenant", overflow="fold")
    table.add_column("model", no_wrap=True)
    for name in ("videos", "failed", "hours", "lost h", "US$", "shared US$", "total US$", "US$/video"):
        table.add_column(name, justify="right")
    for line in found.lines:
        table.add_row(escape(line.owner), line.model, *_cells(line))
    return table


def _cells(line: "Line") -> tuple[str, ...]:
    each = line.usd_per_video
    return (
        str(line.completed),
        str(line.failed),
        f"{line.worked_s / 3600:.2f}",
        f"{line.lost_s / 3600:.2f}",
        f"{line.usd:.4f}",
        f"{line.shared_usd:.4f}",
        f"{line.total_usd:.4f}",
        "" if each is None else f"{each:.4f}",
    )


def _csv(found: "Report") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["month", *_COLUMNS], lineterminator="\n")
    writer.writeheader()
    for line in found.lines:
        writer.writerow({"month": found.month, **line.model_dump(include=set(_COLUMNS))})
    return text.getvalue()
