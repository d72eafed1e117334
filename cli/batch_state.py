"""What a batch has done so far, in a file beside its input: one JSON object a line, appended and flushed to disk.

The idempotency key of a row is made of the batch's id and the row's content, so that a row whose answer was lost is
sent again under the same key and makes no second video. Rows are known by content, not by line: lines may be added,
moved and corrected between runs.
"""

import fcntl
import hashlib
import json
import os
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cli.exits import usage
from cli.request import Parsed

VERSION = "1"
_FIELDS = ("line", "job_id", "status", "error", "path", "tries")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One request of the file. `identity`: its content, and which of several equal ones it is."""

    identity: str
    parsed: Parsed

    @property
    def line(self) -> int:
        return self.parsed.line


def rows_of(entries: Sequence[Parsed]) -> list[Row]:
    """The file's requests with their identities."""
    seen: Counter[str] = Counter()
    rows = []
    for entry in entries:
        content = json.dumps([entry.fields, entry.texts], sort_keys=True, ensure_ascii=False, default=str)
        digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        seen[digest] += 1
        rows.append(Row(identity=f"{digest}-{seen[digest]}", parsed=entry))
    return rows


class BatchState:
    """The state file, held open. Safe to use from several threads."""

    def __init__(self, file: IO[str], batch_id: str, known: dict[str, dict[str, Any]]) -> None:
        self._file = file
        self._batch_id = batch_id
        self._known = known
        self._lock = threading.Lock()

    def of(self, row: Row) -> Mapping[str, Any]:
        """What is known of the row; empty if it was never sent."""
        return self._known.get(row.identity, {})

    def key(self, row: Row) -> str:
        """The row's idempotency key. A row that is tried anew after its video failed has another one."""
        return f"batch-{self._batch_id}-{row.identity}-{self.of(row).get('tries', 1)}"

    def record(self, row: Row, **changes: Any) -> None:
        """Note a change of the row, on disk before this returns."""
        assert set(changes) <= set(_FIELDS)
        with self._lock:
            entry = self._known.setdefault(row.identity, {})
            entry.update({"line": row.line, **changes})
            _append(self._file, {"row": row.identity, "line": row.line, **changes})


@contextmanager
def opened(path: Path, *, api_base: str) -> Iterator[BatchState]:
    """The state at `path`, begun if there is none. Raises CliError: in use, for another deployment, not writable."""
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        hint = "name another place with --state"
        raise usage(f"The state file {path} cannot be written: {error.strerror}", hint=hint) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise usage(f"Another run works on {path}", hint="wait for it, or stop it") from error
        records = _read(path, _whole_lines(file))
        if not records:
            records = [{"version": VERSION, "batch": uuid.uuid4().hex, "api_base": api_base}]
            _append(file, records[0])
        yield BatchState(file, _batch_id(path, records[0], api_base), _latest(records[1:]))


def _batch_id(path: Path, head: Mapping[str, Any], api_base: str) -> str:
    if head.get("version") != VERSION or not isinstance(head.get("batch"), str):
        raise usage(f"{path} is no state of a batch", hint="name another place with --state")
    if head.get("api_base") != api_base:
        message = f"{path} is of a batch at {head.get('api_base')}, not at {api_base}"
        raise usage(message, hint="name another place with --state to begin anew here")
    return str(head["batch"])


def _latest(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {}
    for record in records:
        known.setdefault(str(record.get("row")), {}).update({name: record[name] for name in _FIELDS if name in record})
    return known


def _whole_lines(file: IO[str]) -> str:
    """The file's text. A last line that a crash cut off is taken away: its row is sent again under the same key."""
    file.seek(0)
    text = file.read()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        file.truncate(len(whole.encode()))
    return whole


def _read(path: Path, text: str) -> list[dict[str, Any]]:
    records = []
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise usage(f"{path}, line {number} is broken", hint="name another place with --state") from error
        if not isinstance(record, dict):
            raise usage(f"{path} is no state of a batch", hint="name another place with --state")
        records.append(record)
    return records


def _append(file: IO[str], record: Mapping[str, Any]) -> None:
    file.write(json.dumps(record, ensure_ascii=False) + "\n")
    file.flush()
    os.fsync(file.fileno())
