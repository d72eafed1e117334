"""A dropped file's bytes to its entries, by the ending of its name."""

import re
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import PurePosixPath

from jobs.drop.entries import Entry, FileError
from jobs.drop.json_files import json_entries, jsonl_entries
from jobs.drop.markdown import markdown_entries
from jobs.drop.tables import csv_entries
from jobs.drop.yaml_files import yaml_entries

MAX_FILE_BYTES = 5 * 1024 * 1024
MAX_ENTRIES = 1_000  # the function that reads the file has 300 s, and an entry takes three calls
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f]")


def parse_file(name: str, data: bytes) -> list[Entry]:
    """The entries of the file `name`. Raises FileError: not text, too large, no known ending, nothing in it."""
    reader = _READERS.get(PurePosixPath(name).suffix.lower())
    if reader is None:
        raise FileError(f"Unknown kind of file; there are {', '.join(_READERS)}.", code="unsupported_file_type")
    if len(data) > MAX_FILE_BYTES:
        raise too_large(len(data))
    entries = list(islice(reader(decode(data)), MAX_ENTRIES + 1))
    if not entries:
        raise FileError("The file holds no prompt.", code="empty_file")
    if len(entries) > MAX_ENTRIES:
        raise FileError(f"The file holds more than {MAX_ENTRIES} prompts; divide it.", code="too_many_entries")
    return entries


def too_large(size_bytes: int) -> FileError:
    """Says the limit; the file is not even read."""
    message = f"The file has {size_bytes} bytes; the limit is {MAX_FILE_BYTES}."
    return FileError(message, code="file_too_large")


def decode(data: bytes) -> str:
    """UTF-8, with or without BOM, with `\\n` as the only line end, so that lines count as in an editor."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"The file is not UTF-8 text (byte {error.start + 1}); save it as UTF-8."
        raise FileError(message, code="not_utf8", line=line) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    control = _CONTROL.search(text)
    if control is not None:
        line = text.count("\n", 0, control.start()) + 1
        raise FileError("The file is binary, not text.", code="not_text", line=line)
    return text


def text_entries(text: str) -> Iterable[Entry]:
    """`.txt`: the whole file is one prompt."""
    if text.strip():
        blank = text[: len(text) - len(text.lstrip())]
        yield Entry(blank.count("\n") + 1, {"prompt": text.strip()})


_READERS: dict[str, Callable[[str], Iterable[Entry]]] = {
    ".txt": text_entries,
    ".md": markdown_entries,
    ".json": json_entries,
    ".jsonl": jsonl_entries,
    ".yaml": yaml_entries,
    ".yml": yaml_entries,
    ".csv": csv_entries,
}
