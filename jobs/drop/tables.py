"""`.csv`: a header with the names of fields, then one request a row. Empty cells are fields left out.

Names may be bracketed as in forms (`metadata[scene]`), lists may be JSON. Comma, semicolon (Excel in Brazil) or tab."""

import csv
import io
from collections.abc import Iterator

from jobs.drop.entries import Entry, FileError
from jobs.errors import RequestError
from jobs.form import from_pairs
from jobs.request import MAX_IMAGE_CHARS

_FIELD_LIMIT = MAX_IMAGE_CHARS + 1


def csv_entries(text: str) -> Iterator[Entry]:
    """One entry a row, at the line on which the row begins. Raises FileError without a header."""
    csv.field_size_limit(_FIELD_LIMIT)
    lines = text.lstrip("\n")
    skipped = len(text) - len(lines)
    rows = csv.reader(io.StringIO(lines, newline=""), delimiter=_delimiter(lines), strict=True)
    header = _header(rows, line=skipped + 1)
    while True:
        line = skipped + rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield Entry(line, RequestError(f"Not CSV: {error}.", code="invalid_csv"))
            return  # what follows an open quote cannot be told apart
        if row is None:
            return
        if any(cell.strip() for cell in row):
            yield _entry(line, header, row)


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _header(rows: Iterator[list[str]], *, line: int) -> list[str]:
    try:
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise FileError(f"Not CSV: {error}.", code="invalid_csv", line=line) from error
    if "prompt" not in header and not any(name.startswith("shots") for name in header):
        message = "The first line must name the columns, 'prompt' among them."
        raise FileError(message, code="invalid_csv", line=line)
    return header


def _entry(line: int, header: list[str], row: list[str]) -> Entry:
    if len(row) > len(header):
        message = f"The row has {len(row)} cells, the header {len(header)}; quote texts that hold the separator."
        return Entry(line, RequestError(message, code="invalid_csv"))
    try:
        # A short row leaves its last fields out.
        raw = from_pairs((name, cell) for name, cell in zip(header, row, strict=False) if cell.strip())
    except RequestError as error:
        return Entry(line, error)
    return Entry(line, raw, texts=True)
