"""JSON as the standard has it: no NaN, and an error that names the line, however the text is broken."""

import json
from typing import Any, NoReturn

MAX_WHOLE = 2**53  # above it, a double does not tell one whole number from the next


class NotJson(Exception):
    """The text is no JSON; `line` counts from 1."""

    def __init__(self, reason: str, *, line: int = 1) -> None:
        super().__init__(f"Not JSON: {reason}.")
        self.line = line


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _number(text: str) -> int | float:
    # JSON has one kind of number: 33.0 is as good a count of frames as 33.
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < MAX_WHOLE else value


DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_number)


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
