"""One line of the doctor's answer."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was looked at, what was found, and what to do next where it is not in order."""

    check: str
    status: Status
    found: str
    next_step: str = ""


def ok(check: str, found: str) -> Finding:
    return Finding(check=check, status=Status.OK, found=found)


def warning(check: str, found: str, next_step: str) -> Finding:
    return Finding(check=check, status=Status.WARNING, found=found, next_step=next_step)


def failure(check: str, found: str, next_step: str) -> Finding:
    return Finding(check=check, status=Status.FAILURE, found=found, next_step=next_step)
