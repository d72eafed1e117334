"""The one id maker. Ids are ULIDs with a prefix: unique without coordination, and sorted by creation time."""

import re

from ulid import ULID

JOB_ID_PATTERN = r"^video_[0-9A-HJKMNP-TV-Z]{26}$"
_JOB_ID = re.compile(JOB_ID_PATTERN)


def new_job_id() -> str:
    """`video_` + ULID; sorts by creation time (to the millisecond)."""
    return f"video_{ULID()}"


def is_job_id(text: str) -> bool:
    """Whether `text` has the shape of a job id; anything else cannot name a job and is never looked up."""
    return _JOB_ID.fullmatch(text) is not None
