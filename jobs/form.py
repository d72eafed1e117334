"""Requests whose values are strings: multipart and urlencoded forms, and the rows of a CSV file.

Field names may be bracketed as the openai SDK does it: `loras[][name]` (a repeated name begins the next item),
`loras[0][name]`, `metadata[scene]`. A list or object may also be one field that holds JSON.
`jobs.validation.parse(texts=True)` then reads each value by its field's type.
"""

import base64
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from jobs.errors import RequestError
from jobs.json_text import NotJson, decode_json

MAX_FIELDS = 2_000
MAX_INDEX = 100
_STRUCTURED = (
    "shots",
    "loras",
    "metadata",
    "webhook",
    "output",
    "input_reference",
    "video",
    "images",
    "captions",
    "training",
)  # fields that may come as one JSON text
_FILES = {
    "input_reference": "image",
    "image": "image",
    "video": "video",
    "images[]": "images[]",
    "archive": "archive",
}  # name sent: field
_NAME = re.compile(r"^(?P<field>[^\[\]]+)(?P<path>(\[[^\[\]]*\]){0,6})$")
_SEGMENT = re.compile(r"\[([^\[\]]*)\]")


def from_urlencoded(body: bytes) -> dict[str, Any]:
    """An urlencoded form's fields as a raw request. Raises RequestError."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:  # not UTF-8, or too many fields
        raise RequestError("The form cannot be read.", code="invalid_form") from error
    return from_pairs(pairs)


def from_multipart(body: bytes, content_type: str) -> dict[str, Any]:
    """A multipart form's fields as a raw request; a file becomes a data URL, of `image` or `video`.

    Raises RequestError."""
    from python_multipart import create_form_parser
    from python_multipart.exceptions import FormParserError

    pairs: list[tuple[str, str]] = []

    def on_field(field: Any) -> None:
        pairs.append((_text(field.field_name), _text(field.value or b"")))

    def on_file(file: Any) -> None:
        pairs.append(_file(file))

    headers = {"Content-Type": content_type.encode("latin-1", "replace"), "Content-Length": str(len(body)).encode()}
    config: Any = {"MAX_MEMORY_FILE_SIZE": len(body) + 1}  # never to disk: the gateway bounds the body
    try:
        parser = create_form_parser(headers, on_field, on_file, config=config)
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise RequestError(f"The form cannot be read: {error}.", code="invalid_form") from error
    return from_pairs(pairs)


def _text(value: bytes | None) -> str:
    try:
        return (value or b"").decode()
    except UnicodeDecodeError as error:
        raise RequestError("The form is not UTF-8.", code="invalid_form") from error


def _file(file: Any) -> tuple[str, str]:
    """The field that a file is for, and its content as a data URL."""
    name = _text(file.field_name)
    if name not in _FILES:
        raise RequestError(f"A file can only be one of {', '.join(_FILES)}.", param=name[:60])
    file.file_object.seek(0)
    # The type is found out by content later.
    return _FILES[name], "data:application/octet-stream;base64," + base64.b64encode(file.file_object.read()).decode()


def from_pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Bracketed names and their texts as nested values. Raises RequestError."""
    raw: dict[str, Any] = {}
    for count, (name, text) in enumerate(pairs, start=1):
        if count > MAX_FIELDS:
            raise RequestError(f"More than {MAX_FIELDS} fields.", code="invalid_form")
        match = _NAME.match(name)
        if match is None:
            raise RequestError(f"Unknown parameter: '{name[:60]}'.", param=name[:60], code="unknown_parameter")
        path = [match["field"], *_SEGMENT.findall(match["path"])]
        _put(raw, path, _structured(path[0], text) if len(path) == 1 else text, name)
    return raw


def _structured(field: str, text: str) -> Any:
    if field not in _STRUCTURED or (field == "video" and not text.lstrip().startswith("{")):
        return text
    try:
        return decode_json(text)
    except NotJson as error:
        raise RequestError(f"Invalid '{field}'. {error}", param=field, code="invalid_json") from error


def _put(node: Any, path: list[str], value: Any, name: str) -> None:
    """Set `value` at `path` below `node`, making lists for `[]` and `[0]` and objects for names on the way."""
    head, rest = path[0], path[1:]
    if isinstance(node, list):
        index = _index(node, head, rest, name)
        if index == len(node):
            node.append(_fresh(rest, value))
            if not rest:
                return
        elif not rest:
            raise _repeated(name)
        _descend(node[index], rest, value, name)
        return
    if head not in node:
        node[head] = _fresh(rest, value)
        if not rest:
            return
    elif not rest:
        raise _repeated(name)
    _descend(node[head], rest, value, name)


def _descend(node: Any, rest: list[str], value: Any, name: str) -> None:
    if not isinstance(node, list | dict):
        raise _repeated(name)
    _put(node, rest, value, name)


def _fresh(rest: list[str], value: Any) -> Any:
    if not rest:
        return value
    return [] if rest[0] == "" or rest[0].isdecimal() else {}


def _index(items: list[Any], head: str, rest: list[str], name: str) -> int:
    """Which item a segment means: its number, or for `[]` the last one until one of its names comes again."""
    if head.isdecimal() and len(head) <= 3:
        index = int(head)
        if index > len(items) or index >= MAX_INDEX:
            raise RequestError("Items are numbered from 0 without gaps.", param=name[:60], code="invalid_form")
        return index
    if head:
        raise RequestError(f"'{head[:20]}' is no number of an item.", param=name[:60], code="invalid_form")
    last = items[-1] if items else None
    goes_on = bool(rest) and isinstance(last, dict) and (rest[0] not in last or len(rest) > 1)
    return len(items) - 1 if goes_on else len(items)


def _repeated(name: str) -> RequestError:
    # Files by the names `image` and `input_reference` are one field: each by itself is well.
    code = "image_given_twice" if name == "image" else "invalid_form"
    return RequestError(f"'{name[:60]}' is given twice.", param=name[:60], code=code)
