"""The one id maker. Ids are ULIDs with a prefix: unique without coordination, and sorted by creation time."""

import re

_ULID = "[0-9A-HJKMNP-TV-Z]{26}"
UPLOAD_PREFIX = "upload_"
INPUT_PREFIX = "input_"
CHARACTER_PREFIX = "character_"
JOB_ID_PATTERN = rf"^video_{_ULID}$"
UPLOAD_ID_PATTERN = rf"^{UPLOAD_PREFIX}{_ULID}$"
CHARACTER_ID_PATTERN = rf"^{CHARACTER_PREFIX}{_ULID}$"
# Keys of before they had ids are named by their hash.
KEY_ID_PATTERN = r"^key_[0-9A-Za-z]{26}$"
WEBHOOK_ID_PATTERN = rf"^whe_{_ULID}$"
_JOB_ID = re.compile(JOB_ID_PATTERN)
_UPLOAD_ID = re.compile(UPLOAD_ID_PATTERN)
_CHARACTER_ID = re.compile(CHARACTER_ID_PATTERN)


def new_ulid() -> str:
    """26 characters that sort by time (to the millisecond)."""
    from ulid import ULID  # only what makes something needs it, and it costs a twentieth of a cold start

    return str(ULID())


def new_job_id() -> str:
    """`video_` + ULID; sorts by creation time (to the millisecond)."""
    return f"video_{new_ulid()}"


def new_upload_id() -> str:
    """`upload_` + ULID."""
    return f"{UPLOAD_PREFIX}{new_ulid()}"


def new_input_id() -> str:
    """`input_` + ULID."""
    return f"{INPUT_PREFIX}{new_ulid()}"


def new_character_id() -> str:
    """`character_` + ULID."""
    return f"{CHARACTER_PREFIX}{new_ulid()}"


def new_key_id() -> str:
    """`key_` + ULID."""
    return f"key_{new_ulid()}"


def new_webhook_id() -> str:
    """`whe_` + ULID."""
    return f"whe_{new_ulid()}"


def is_job_id(text: str) -> bool:
    """Whether `text` has the shape of a job id; anything else cannot name a job and is never looked up."""
    return _JOB_ID.fullmatch(text) is not None


def is_upload_id(text: str) -> bool:
    """The same for an upload."""
    return _UPLOAD_ID.fullmatch(text) is not None


def is_character_id(text: str) -> bool:
    """The same for a character."""
    return _CHARACTER_ID.fullmatch(text) is not None
