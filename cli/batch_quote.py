"""What all requests of a file would take and cost together."""

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from cli.batch_state import Row
from cli.batch_work import PASSING, each_of, post, refusal
from cli.exits import CliError, Exit
from cli.session import Session
from cli.text import shortened, span, usd


def quote(session: Session, rows: Sequence[Row], concurrency: int) -> None:
    """Print a quote for each row and for all; creates nothing. Raises CliError if a row would be refused."""
    shown = _ask_all(session, rows, concurrency)
    good = [each for each in shown if "error" not in each and each["feasible"] is not False]
    costs = [each["cost_usd"] for each in good]
    total = {
        "videos": len(good),
        "refused": len(shown) - len(good),
        "compute_seconds": round(sum(each["compute_seconds"] for each in good), 3),
        "cost_usd": None if None in costs else round(sum(costs), 6),
    }
    words = f"{len(good)} videos, {span(total['compute_seconds'] or 0)} of computing, {usd(total['cost_usd'])}"
    session.emit({"object": "batch.estimate", "total": total, "rows": shown}, _table(shown), words)
    if len(good) < len(shown):
        message = f"{len(shown) - len(good)} of {len(rows)} rows would be refused"
        raise CliError(message, Exit.REFUSED, hint="correct them first")


def _ask_all(session: Session, rows: Sequence[Row], concurrency: int) -> list[dict[str, Any]]:
    quotes: dict[str, dict[str, Any]] = {}

    def ask(row: Row) -> None:
        wrong = row.parsed.error
        if wrong is not None:
            quotes[row.identity] = {"error": refusal(wrong.message, wrong.param, wrong.code)}
            return
        try:
            quotes[row.identity] = post(session, "/videos/estimate", row, f"quote-{row.identity}")
        except CliError as error:
            if error.exit_code in PASSING:
                raise
            quotes[row.identity] = {"error": refusal(error.message, error.param, error.code)}

    each_of(session, "asking", rows, ask, concurrency)
    return [{"line": row.line, **quotes[row.identity]} for row in rows]


def _table(shown: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("line", "model", "seconds", "cost", "what"):
        table.add_column(name, justify="right" if name in {"line", "seconds", "cost"} else "left")
    for each in shown:
        table.add_row(*_quote_row(each))
    return table


def _quote_row(each: dict[str, Any]) -> tuple[str, ...]:
    if "error" in each:
        return str(each["line"]), "", "", "", escape(shortened(str(each["error"]["message"]), 100))
    why = "" if each["feasible"] is not False else escape(shortened(str(each["reason"]), 100))
    return str(each["line"]), each["model"], f"{each['compute_seconds']:.1f}", usd(each["cost_usd"]), why
