"""Query parameters, read strictly: a wrong one is a 400 that names it."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from jobs.errors import RequestError
from jobs.ids import is_character_id, is_job_id
from jobs.s3_keys import ASSETS, Asset
from jobs.states import State
from jobs.store import Order

MAX_LIMIT = 100
DEFAULT_LIMIT = 20
MAX_SEARCH_CHARS = 200
MAX_HISTORY_H = 168
MAX_WAIT_S = 25  # the function has 29 s, API Gateway 30
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})(?![0-9])", re.IGNORECASE)


class ListQuery(NamedTuple):
    """What of the list is asked for."""

    after: str | None
    limit: int
    order: Order
    status: State | None
    model: str | None
    text: str | None


def list_query(query: Mapping[str, str]) -> ListQuery:
    """Raises RequestError."""
    _only(query, ListQuery._fields)
    after = query.get("after")
    if after is not None and not is_job_id(after):
        raise RequestError("Invalid 'after': no video's id.", param="after")
    return ListQuery(
        after,
        _limit(query.get("limit")),
        _order(query.get("order", "desc")),
        _status(query.get("status")),
        query.get("model"),
        _text(query.get("text")),
    )


class PageQuery(NamedTuple):
    """Which page of a list is asked for."""

    after: str | None
    limit: int
    order: Order


def character_query(query: Mapping[str, str]) -> PageQuery:
    """Raises RequestError."""
    _only(query, PageQuery._fields)
    after = query.get("after")
    if after is not None and not is_character_id(after):
        raise RequestError("Invalid 'after': no character's id.", param="after")
    return PageQuery(after, _limit(query.get("limit")), _order(query.get("order", "desc")))


def version_query(query: Mapping[str, str]) -> int | None:
    """Which version of a character is asked for; None is the newest. Raises RequestError."""
    _only(query, ("version", "expert", "layout"))
    text = query.get("version")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) >= 1):
        raise RequestError("Invalid 'version': a number from 1.", param="version")
    return int(text)


class LoraQuery(NamedTuple):
    """Which of a version's files is asked for."""

    expert: str
    layout: Literal["diffusers", "comfyui"]


def lora_query(query: Mapping[str, str]) -> LoraQuery:
    """Raises RequestError."""
    expert, layout = query.get("expert", "high_noise"), query.get("layout", "diffusers")
    if expert not in ("high_noise", "low_noise"):
        raise RequestError("Invalid 'expert': 'high_noise' or 'low_noise'.", param="expert")
    if layout == "diffusers" or layout == "comfyui":
        return LoraQuery(expert, "comfyui" if layout == "comfyui" else "diffusers")
    raise RequestError("Invalid 'layout': 'diffusers' or 'comfyui'.", param="layout")


def _only(query: Mapping[str, str], known: Iterable[str]) -> None:
    unknown = set(query) - set(known)
    if unknown:
        name = min(unknown)[:60]
        raise RequestError(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")


def history_hours(query: Mapping[str, str]) -> int:
    """How far back the fleet's history is asked for. Raises RequestError."""
    _only(query, ("hours",))
    text = query.get("hours", "24")
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= MAX_HISTORY_H):
        raise RequestError(f"Invalid 'hours': a number from 1 to {MAX_HISTORY_H}.", param="hours")
    return int(text)


def page_query(query: Mapping[str, str]) -> tuple[str | None, int]:
    """`after` and `limit` of a list that is short enough to be read whole. Raises RequestError."""
    _only(query, ("after", "limit"))
    return query.get("after"), _limit(query.get("limit"))


def _order(text: str) -> Order:
    if text == "asc":
        return "asc"
    if text == "desc":
        return "desc"
    raise RequestError("Invalid 'order': 'asc' or 'desc'.", param="order")


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= MAX_LIMIT):
        raise RequestError(f"Invalid 'limit': a number from 1 to {MAX_LIMIT}.", param="limit")
    return int(text)


def _status(text: str | None) -> State | None:
    if text is None:
        return None
    if text not in set(State):
        raise RequestError(f"Invalid 'status': one of {', '.join(State)}.", param="status")
    return State(text)


def _text(text: str | None) -> str | None:
    if text is not None and len(text) > MAX_SEARCH_CHARS:
        raise RequestError(f"Invalid 'text': at most {MAX_SEARCH_CHARS} characters.", param="text")
    return text


def prefer_wait(header: str) -> int:
    """Seconds to hold the answer for, of `Prefer: wait=N` (RFC 7240): 25 at most, 0 if it is not asked for.

    A preference that cannot be read is passed over, as the RFC has it."""
    match = _WAIT.search(header)
    return min(int(match[1]), MAX_WAIT_S) if match else 0


def variant(query: Mapping[str, str]) -> Asset:
    """Which file of a video is asked for. Raises RequestError."""
    text = query.get("variant", "video")
    for known in ASSETS:
        if text == known:
            return known
    raise RequestError(f"Invalid 'variant': one of {', '.join(ASSETS)}.", param="variant")
