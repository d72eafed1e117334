"""A webhook endpoint: where an owner wants to be told of what, and the secrets that sign it."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from jobs.ids import new_webhook_id
from jobs.webhooks.types import DEFAULT_TYPES, NamedType, WebhookType, new_secret

MAX_ENDPOINTS = 20  # of one owner
OVERLAP_S = 24 * 3600  # for which a rotated secret may go on signing
_ID = re.compile(r"^whe_[0-9A-HJKMNP-TV-Z]{26}$")


class _Record(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)


class Secret(_Record):
    """`whsec_` + base64. `expires_at` (unix seconds) is set once it has been rotated out."""

    value: str = Field(repr=False)
    expires_at: float | None = None


class Endpoint(_Record):
    """One endpoint. Times are unix seconds. `failing_since`: the first failure with no success after it."""

    id: str
    owner: str
    url: str
    name: str = ""
    event_types: tuple[WebhookType, ...] = DEFAULT_TYPES
    secrets: tuple[Secret, ...]
    created_at: float
    updated_at: float
    failing_since: float | None = None
    disabled_at: float | None = None
    disabled_reason: str | None = None
    revision: int = 0

    def living_secrets(self, now: float) -> tuple[str, ...]:
        """Those that sign now, the newest first."""
        return tuple(secret.value for secret in self.secrets if secret.expires_at is None or secret.expires_at > now)


class WebhookBody(BaseModel):
    """The body of `POST /v1/webhooks`, as the openai SDK's `webhooks.create` sends it."""

    model_config = ConfigDict(defer_build=True, strict=True, extra="forbid", frozen=True)

    url: Annotated[str, Field(min_length=1, max_length=2048)]
    name: Annotated[str, Field(max_length=200)] = ""
    event_types: Annotated[list[NamedType], Field(min_length=1, max_length=len(WebhookType))] = list(DEFAULT_TYPES)


class WebhookUpdate(BaseModel):
    """The body of `POST /v1/webhooks/{id}`; `enabled: true` also forgets that deliveries failed."""

    model_config = ConfigDict(defer_build=True, strict=True, extra="forbid", frozen=True)

    url: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    name: Annotated[str, Field(max_length=200)] | None = None
    event_types: Annotated[list[NamedType], Field(min_length=1, max_length=len(WebhookType))] | None = None
    enabled: bool | None = None


class RotateBody(BaseModel):
    """The body of `POST /v1/webhooks/{id}/rotate_secret`."""

    model_config = ConfigDict(defer_build=True, strict=True, extra="forbid", frozen=True)

    keep_old_secret_active_for_24_hours: bool = False


class TestBody(BaseModel):
    """The body of `POST /v1/webhooks/{id}/test`."""

    __test__ = False  # no test case, whatever pytest thinks of its name
    model_config = ConfigDict(defer_build=True, strict=True, extra="forbid", frozen=True)

    event_type: NamedType = WebhookType.COMPLETED


def new_endpoint(body: WebhookBody, *, owner: str, now: float) -> Endpoint:
    """The record that a body asks for, with its first secret."""
    return Endpoint(
        id=new_webhook_id(),
        owner=owner,
        url=body.url,
        name=body.name,
        event_types=tuple(dict.fromkeys(body.event_types)),
        secrets=(Secret(value=new_secret()),),
        created_at=now,
        updated_at=now,
    )


def is_endpoint_id(text: str) -> bool:
    """Anything else cannot name an endpoint and is never looked up."""
    return _ID.fullmatch(text) is not None


def updated(endpoint: Endpoint, body: WebhookUpdate, *, now: float) -> Endpoint:
    """The endpoint with the body's changes."""
    given = body.model_dump(exclude_none=True, exclude={"enabled"})
    if "event_types" in given:
        given["event_types"] = tuple(dict.fromkeys(given["event_types"]))
    changed = endpoint.model_copy(update={**given, "updated_at": now})
    if body.enabled is True:
        return changed.model_copy(update={"disabled_at": None, "disabled_reason": None, "failing_since": None})
    if body.enabled is False and endpoint.disabled_at is None:
        return disabled(changed, "Disabled by its owner.", now=now)
    return changed


def rotated(endpoint: Endpoint, *, keep_old: bool, now: float) -> Endpoint:
    """The endpoint with a new secret; the old one signs beside it for a day, or no longer."""
    old = Secret(value=endpoint.secrets[0].value, expires_at=now + OVERLAP_S)
    kept = (old,) if keep_old else ()
    return endpoint.model_copy(update={"secrets": (Secret(value=new_secret()), *kept), "updated_at": now})


def disabled(endpoint: Endpoint, reason: str, *, now: float) -> Endpoint:
    """The endpoint, told nothing any more."""
    return endpoint.model_copy(update={"disabled_at": now, "disabled_reason": reason, "updated_at": now})
