"""`.json`: one request or a list of them. `.jsonl`: one request a line."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from jobs.drop.entries import Entry, FileError
from jobs.errors import RequestError
from jobs.json_text import DECODER, NotJson, decode_json

_WHITESPACE = re.compile(r"[ \t\n]*")


def json_entries(text: str) -> Iterable[Entry]:
    """The entries of a JSON text; a list item's line is the one it begins on. Raises FileError with the broken line."""
    start = _skip(text, 0)
    value = _decode(text[start:], first_line=_line(text, start))
    if not isinstance(value, list):
        return [_entry(_line(text, start), value)]
    return [_entry(line, item) for line, item in _items(text, start + 1)]


def _items(text: str, position: int) -> Iterator[tuple[int, Any]]:
    """The items of the list, known to be sound, whose bracket is before `position`."""
    line, counted = 1, 0
    position = _skip(text, position)
    while text[position] != "]":
        line, counted = line + text.count("\n", counted, position), position
        item, end = DECODER.raw_decode(text, position)
        yield line, item
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)


def jsonl_entries(text: str) -> Iterator[Entry]:
    """One entry a line that is not blank; a broken one is rejected alone."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield _entry(number, _decode(line.strip(), first_line=number))
            except FileError as broken:
                yield Entry(number, broken.error)


def _decode(text: str, *, first_line: int) -> Any:
    try:
        return decode_json(text)
    except NotJson as error:
        raise FileError(str(error), code="invalid_json", line=first_line + error.line - 1) from error


def _entry(line: int, value: Any) -> Entry:
    if isinstance(value, dict):
        return Entry(line, value)
    return Entry(line, RequestError("A request is an object with fields such as 'prompt'.", code="invalid_type"))


def _skip(text: str, position: int) -> int:
    match = _WHITESPACE.match(text, position)
    return position if match is None else match.end()


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
