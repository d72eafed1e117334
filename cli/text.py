"""Figures and states in words, one way everywhere."""

from datetime import UTC, datetime
from typing import Any

_STYLES = {"completed": "green", "failed": "red", "cancelled": "yellow", "in_progress": "cyan"}
WHAT_TO_DO = {
    "deadline_exceeded": "send it again with a later --deadline, or none",
    "capacity_timeout": "send it again when the fleet has room (revalida fleet)",
    "out_of_memory": "send it again with a smaller --size or fewer frames",
    "worker_crashed": "change size, frames or model; an operator can redrive it (revalida dead-letters)",
    "machine_failed": "tell an operator: disks or weights of the fleet need mending; then send it again",
}


def span(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def when(unix_s: float | None) -> str:
    """UTC to the second, as in ISO 8601."""
    return "" if unix_s is None else datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def usd(amount: float | None) -> str:
    """`US$ 0.0123`; `-` where no price is known."""
    return "-" if amount is None else f"US$ {amount:.4f}" if amount < 1 else f"US$ {amount:,.2f}"


def size_of(count: float) -> str:
    """Bytes in the unit that fits."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def shortened(text: str, width: int) -> str:
    """On one line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def style_of(status: str) -> str:
    """The colour of a state."""
    return _STYLES.get(status, "default")


def state_of(video: dict[str, Any]) -> str:
    """The state, with what is being done about it."""
    if video["cancel_requested"] and video["status"] == "in_progress":
        return "being cancelled"
    return str(video["status"]).replace("_", " ")


def how_it_ended(video: dict[str, Any]) -> str:
    """One line: the end of a video, and the next step."""
    video_id = video["id"]
    if video["status"] == "completed":
        took = "" if not video.get("completed_at") else f" after {span(video['completed_at'] - video['created_at'])}"
        return f"{video_id} is completed{took}, {usd(video['cost']['actual_usd'])}. Next: revalida download {video_id}"
    if video["status"] == "failed":
        error = video.get("error") or {"code": "unknown", "message": "no reason was given"}
        why = shortened(error["message"], 400).rstrip(".")
        return f"{video_id} failed ({error['code']}): {why}. Next: {what_to_do(video)}"
    if video["status"] == "cancelled":
        return f"{video_id} was cancelled"
    return f"{video_id} is {state_of(video)}. Next: revalida watch {video_id}"


def what_to_do(video: dict[str, Any]) -> str:
    """The next step after a failure."""
    code = (video.get("error") or {}).get("code", "")
    return WHAT_TO_DO.get(code, f"revalida show {video['id']} has all attempts")
