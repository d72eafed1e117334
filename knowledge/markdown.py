"""Markdown as the documents need it: tables, and references to sources as footnotes."""

from collections.abc import Iterable, Sequence

from knowledge.data import Figure, Knowledge, Source
from knowledge.formats import day
from knowledge.review import overdue

ESTIMATE_MARK = "[^estimativa]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, align: str = "") -> str:
    """A pipe table. ``align`` has one letter a column, ``l``, ``r`` or ``c``; left is the default.

    Raises ValueError for a row of another width: a shifted column is worse than no table.
    """
    marks = {"l": ":--", "r": "--:", "c": ":-:"}
    letters = align.ljust(len(head), "l")
    lines = [_row(head), _row([marks[letter] for letter in letters])]
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"{len(row)} cells under {len(head)} heads: {row}")
        lines.append(_row(row))
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def reference(figure: Figure) -> str:
    """The footnote that says where a figure comes from."""
    return ESTIMATE_MARK if figure.estimate else f"[^{figure.source}]"


def references(figures: Iterable[Figure]) -> str:
    """The footnotes of several figures, each once, in order."""
    return "".join(dict.fromkeys(reference(figure) for figure in figures))


def footnotes(known: Knowledge, text: str) -> str:
    """Definitions of all footnotes that ``text`` refers to."""
    lines = [_footnote(known, name, source) for name, source in known.sources.items() if f"[^{name}]" in text]
    if ESTIMATE_MARK in text:
        lines.append(f"{ESTIMATE_MARK}: Estimativa nossa; o motivo está em `docs/dados`, ao lado do número.")
    return "\n".join(lines)


def _footnote(known: Knowledge, name: str, source: Source) -> str:
    title = f"[{source.title}]({source.url})" if source.url else source.title
    dated = f", página de {day(source.page_date)}" if source.page_date else ", sem data própria"
    late = (
        " **Fora do prazo de revisão:** " + source.accepted.reason if _late(known, source) and source.accepted else ""
    )
    note = f" {source.note}" if source.note else ""
    return f"[^{name}]: {title}. Lida em {day(source.read_on)}{dated}.{note}{late}"


def _late(known: Knowledge, source: Source) -> bool:
    """Lateness as of the day the source was read: the document must not change with the day it is rendered."""
    return overdue(known, source, source.read_on)
