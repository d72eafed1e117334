"""The same request twice is one job, at every door: a key (the caller's, or the object's or event's identity) and a
fingerprint of what was asked."""

import hashlib
import json
from typing import Any, NamedTuple

from pydantic import BaseModel

from jobs import items
from jobs.errors import RequestError
from jobs.origin import Derivation
from jobs.request import RequestBody

MAX_KEY_CHARS = 255
KEY_LIFETIME_S = 24 * 3600
DELIVERY_LIFETIME_S = 30 * 24 * 3600  # an event archive may be replayed weeks later
RETRY_WINDOW_S = 120  # the openai SDK's retries come within seconds of the first try


class Record(NamedTuple):
    """Which job (or character) a key made, and of what."""

    job_id: str
    fingerprint: str


def fingerprint(body: RequestBody, derived: Derivation | None = None) -> str:
    """SHA-256 over what the caller gave, in canonical form: field order and absent defaults do not matter."""
    given = body.model_dump(mode="json", exclude_defaults=True)
    return _hash(given if derived is None else {"body": given, "derived": derived.identity})


def character_fingerprint(body: BaseModel) -> str:
    """The same over what a character is asked for by: never that of a video."""
    return _hash({"character": body.model_dump(mode="json", exclude_defaults=True)})


def _hash(given: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(given, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def checked(key: str | None) -> str | None:
    """A caller's key, if there is one. Raises RequestError for one that is too short or too long."""
    if key is not None and not 0 < len(key) <= MAX_KEY_CHARS:
        message = f"An idempotency key has 1 to {MAX_KEY_CHARS} characters."
        raise RequestError(message, param="Idempotency-Key", code="invalid_value")
    return key


def digest(key: str) -> str:
    """Keys are stored hashed: they may be long, and are the caller's."""
    return hashlib.sha256(key.encode()).hexdigest()


def record_item(owner: str, key: str, *, job_id: str, fingerprint: str, expires_at: float) -> dict[str, Any]:
    """The IDEMPOTENCY item, gone by itself after `expires_at` (unix seconds)."""
    keys = items.idempotency_key(owner, digest(key))
    return {**keys, "job_id": job_id, "fingerprint": fingerprint, "expires_at": int(expires_at)}


def retry_key(fingerprint: str) -> str:
    """Under which a request without a key is remembered, for the SDK's own retries to be recognised."""
    return f"retry:{fingerprint}"
