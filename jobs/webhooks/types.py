"""What a webhook can be told of, and the form of its signing secret."""

import base64
import binascii
import secrets
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator

SECRET_BYTES = 32  # Standard Webhooks: 24 to 64


class WebhookType(StrEnum):
    """What can be subscribed to. The first two are OpenAI's; progress is for polling and the bus."""

    COMPLETED = "video.completed"
    FAILED = "video.failed"
    CANCELLED = "video.cancelled"
    QUEUED = "video.queued"
    STARTED = "video.started"
    INTERRUPTED = "video.interrupted"
    RESUMED = "video.resumed"


def _named(value: object) -> object:
    if isinstance(value, str) and value not in set(WebhookType):
        raise ValueError(f"must be one of {', '.join(WebhookType)}")
    return WebhookType(value) if isinstance(value, str) else value


# Read from its name in strict mode, too, where pydantic wants the member itself.
NamedType = Annotated[WebhookType, BeforeValidator(_named)]
DEFAULT_TYPES = (WebhookType.COMPLETED, WebhookType.FAILED, WebhookType.CANCELLED)


def new_secret() -> str:
    """`whsec_` + base64 of 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


# The same for who reads the schema: base64 of 24 to 64 bytes, in whole groups of four characters.
_FOUR = "[A-Za-z0-9+/]{4}"
_REST = "[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}="
SECRET_PATTERN = f"^whsec_(({_FOUR}){{8,21}}|({_FOUR}){{8,20}}({_REST})|({_FOUR}){{21}}[A-Za-z0-9+/]{{2}}==)$"


def is_secret(text: str) -> bool:
    """Whether a caller's own secret has the form and the strength of one."""
    try:
        return text.startswith("whsec_") and 24 <= len(base64.b64decode(text[6:], validate=True)) <= 64
    except (binascii.Error, ValueError):
        return False
