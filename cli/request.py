"""Requests as they lie on this machine: in files, on stdin, with images beside them."""

import base64
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cli.exits import CliError, Exit, usage

if TYPE_CHECKING:  # what reads files is loaded where there is one: it takes half a second
    from jobs.drop.entries import Entry
    from jobs.errors import RequestError

MAX_INLINE_BYTES = 4_000_000  # of an image in the body: Lambda takes 6 MB, base64 makes three bytes four

_UPLOAD_ID = re.compile(r"^(upload|file)[_-][A-Za-z0-9]+$")


class Parsed(NamedTuple):
    """A request of a file: its fields, or what is wrong with them. `texts`: the values are strings (CSV)."""

    line: int
    fields: dict[str, Any]
    error: "RequestError | None"
    texts: bool


def read_prompt(text: str) -> str:
    """The prompt; `-` reads it from stdin."""
    return sys.stdin.read().strip() if text == "-" else text


def image_value(text: str, *, beside: Path | None = None) -> str:
    """What the API takes for an image: URLs and ids as they are, a file as a data URL. Raises CliError.

    `beside`: the folder that relative paths begin at."""
    if text.startswith(("https://", "http://", "data:")):
        return text
    path = Path(text).expanduser() if beside is None else beside / Path(text).expanduser()
    if _UPLOAD_ID.match(text) and not path.exists():
        return text
    try:
        data = path.read_bytes()
    except OSError as error:
        raise usage(f"The image {path} cannot be read: {error.strerror}", hint="check the path of the image") from error
    if len(data) > MAX_INLINE_BYTES:
        message = f"The image {path} has {len(data):,} bytes; {MAX_INLINE_BYTES:,} go into a request"
        raise usage(message, hint="make it smaller, or give an https URL")
    return "data:application/octet-stream;base64," + base64.b64encode(data).decode()


def read_file(path: Path) -> list[Parsed]:
    """The requests of a file, read exactly as the drop folder reads it; images beside it are taken in.

    Raises CliError."""
    from jobs.drop.entries import FileError
    from jobs.drop.parse import MAX_FILE_BYTES, parse_file, too_large

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise too_large(path.stat().st_size)
        entries = parse_file(path.name, path.read_bytes())
    except OSError as error:
        raise usage(f"{path} cannot be read: {error.strerror}", hint="check the path") from error
    except FileError as broken:
        message = f"{path}, line {broken.line}: {broken.error.message}"
        raise CliError(message, Exit.REFUSED, hint=f"correct {path.name}", code=broken.error.code) from broken
    return [_parsed(entry, path.parent) for entry in entries]


def form_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """A CSV row's fields as a form's: texts, and JSON for what is nested."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}


def _parsed(entry: "Entry", folder: Path) -> Parsed:
    from jobs.errors import RequestError

    if isinstance(entry.raw, RequestError):
        return Parsed(entry.line, {}, entry.raw, entry.texts)
    fields = dict(entry.raw)
    image = fields.get("image")
    if isinstance(image, str) and image:
        try:
            fields["image"] = image_value(image, beside=folder)
        except CliError as error:
            return Parsed(entry.line, fields, RequestError(error.message, param="image"), entry.texts)
    return Parsed(entry.line, fields, None, entry.texts)
