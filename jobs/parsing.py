"""A door's raw values to a typed body, and pydantic's errors to the API's words. Knows nothing of models."""

import re
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from jobs.errors import RequestError

MAX_DEPTH = 16
_Shape = TypeVar("_Shape", bound=BaseModel)

# pydantic's error types to the codes that callers see; all others are `invalid_value`.
_CODES = {
    "missing": "missing_required_parameter",
    "extra_forbidden": "unknown_parameter",
    "string_too_long": "string_above_max_length",
    "too_long": "array_above_max_length",
}
# The arms of a union, the key of a mapping.
_PYDANTIC_PARTS = {"str", "float", "[key]", "constrained-str", "VideoReference"}
_TYPE_ERROR = re.compile(r"_type$|_from_float$|^string_unicode$")


def parse_as(shape: type[_Shape], raw: object, *, texts: bool) -> _Shape:
    """Check the form of a body. `texts`: its values are strings (a form, a CSV row), read by each field's type.

    Raises RequestError naming the field."""
    if not isinstance(raw, Mapping):
        raise RequestError(
            "The request must be an object with fields such as 'model' and 'prompt'.", code="invalid_type"
        )
    check_depth(raw)
    try:
        return shape.model_validate(raw, strict=not texts)
    except ValidationError as error:
        raise request_error(error) from error


def check_depth(raw: object) -> None:
    """Refuse deep nesting before anything recurses into it."""
    level: list[object] = [raw]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _children(value)]
        if not level:
            return
    raise RequestError(f"The request is nested deeper than {MAX_DEPTH} levels.", code="invalid_value")


def _children(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def request_error(error: ValidationError) -> RequestError:
    """pydantic's first error in the API's words."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    kind = first["type"]
    code = _CODES.get(kind, "invalid_type" if _TYPE_ERROR.search(kind) else "invalid_value")
    param = param_of(first["loc"])
    message = {
        "missing": f"Missing required parameter: '{param}'.",
        "extra_forbidden": f"Unknown parameter: '{param}'.",
    }.get(kind, f"Invalid {repr(param) if param else 'request'}: {first['msg'].removeprefix('Value error, ')}.")
    return RequestError(message, param=param or None, code=code)


def param_of(location: tuple[int | str, ...]) -> str:
    """`("shots", 1, "prompt")` -> `shots[1].prompt`; what pydantic adds of its own is left out."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif path and part in _PYDANTIC_PARTS:
            continue
        else:
            path += f".{shown(part)}" if path else shown(part)
    return path


def shown(text: str) -> str:
    """A caller's text as part of a message: shortened, without control characters."""
    return "".join(c if c.isprintable() else "?" for c in text[:60])
