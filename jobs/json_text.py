"""JSON as the standard has it: no NaN, and an error that names the line, however the text is broken."""

import json
from typing import Any, NoReturn


class NotJson(Exception):
    """The text is no JSON; `line` counts from 1."""

    def __init__(self, reason: str, *, line: int = 1) -> None:
        super().__init__(f"Not JSON: {reason}.")
        self.line = line


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


DECODER = json.JSONDecoder(parse_constant=_no_constant)


def decode_json(text: str) -> Any:
    """The value. Raises NotJson."""
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg}, at column {error.colno} of line {error.lineno}", line=error.lineno) from error
    except RecursionError as error:
        raise NotJson("nested too deep") from error
    except ValueError as error:  # NaN and the like, and numbers of thousands of digits
        raise NotJson(str(error)) from error
