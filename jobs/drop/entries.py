"""What a dropped file holds: one entry a prompt, each with its line."""

from collections.abc import Mapping
from typing import NamedTuple

from jobs.errors import RequestError


class Entry(NamedTuple):
    """One request of a file, or what is wrong with it. `line` counts from 1 as an editor does.

    `texts`: the values are strings, to be read by their fields' types (CSV)."""

    line: int
    raw: Mapping[str, object] | RequestError
    texts: bool = False


class FileError(Exception):
    """The file as a whole cannot be read: its receipt has one rejected entry, at `line`."""

    def __init__(self, message: str, *, code: str = "unreadable_file", line: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.error = RequestError(message, code=code)
