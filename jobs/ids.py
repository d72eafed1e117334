"""The one id maker. Ids are ULIDs with a prefix: unique without coordination, and sorted by creation time."""

import re

from ulid import ULID

_ULID = "[0-9A-HJKMNP-TV-Z]{26}"
UPLOAD_PREFIX = "upload_"
CHARACTER_PREFIX = "character_"
JOB_ID_PATTERN = rf"^video_{_ULID}$"
UPLOAD_ID_PATTERN = rf"^{UPLOAD_PREFIX}{_ULID}$"
CHARACTER_ID_PATTERN = rf"^{CHARACTER_PREFIX}{_ULID}$"
_JOB_ID = re.compile(JOB_ID_PATTERN)
_UPLOAD_ID = re.compile(UPLOAD_ID_PATTERN)
_CHARACTER_ID = re.compile(CHARACTER_ID_PATTERN)


def new_job_id() -> str:
    """`video_` + ULID; sorts by creation time (to the millisecond)."""
    return f"video_{ULID()}"


def new_upload_id() -> str:
    """`upload_` + ULID."""
    return f"{UPLOAD_PREFIX}{ULID()}"


def new_character_id() -> str:
    """`character_` + ULID."""
    return f"{CHARACTER_PREFIX}{ULID()}"


def is_job_id(text: str) -> bool:
    """Whether `text` has the shape of a job id; anything else cannot name a job and is never looked up."""
    return _JOB_ID.fullmatch(text) is not None


def is_upload_id(text: str) -> bool:
    """The same for an upload."""
    return _UPLOAD_ID.fullmatch(text) is not None


def is_character_id(text: str) -> bool:
    """The same for a character."""
    return _CHARACTER_ID.fullmatch(text) is not None
