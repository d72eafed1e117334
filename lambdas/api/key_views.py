"""API keys as their owner sees them; the key itself only in the answer that makes it."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from jobs.audit import AuditEntry
from jobs.keys import DEFAULT_SCOPES, ApiKey, Scope
from jobs.limits import Limits, Usage


def _named(value: object) -> object:
    if isinstance(value, str) and value not in set(Scope):
        raise ValueError(f"must be one of {', '.join(Scope)}")
    return Scope(value) if isinstance(value, str) else value


_Scopes = Annotated[list[Annotated[Scope, BeforeValidator(_named)]], Field(min_length=1, max_length=len(Scope))]
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class KeyBody(BaseModel):
    """The body of `POST /v1/keys`. What is null in `limits` has no limit."""

    model_config = ConfigDict(defer_build=True, strict=True, extra="forbid", frozen=True)

    name: _Name
    scopes: _Scopes = list(DEFAULT_SCOPES)
    limits: Limits = Limits()


class KeyUpdate(BaseModel):
    """The body of `POST /v1/keys/{id}`; `limits` replaces all of them."""

    model_config = ConfigDict(defer_build=True, strict=True, extra="forbid", frozen=True)

    name: _Name | None = None
    scopes: _Scopes | None = None
    limits: Limits | None = None


class _Shown(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class KeyView(_Shown):
    """A key: `key` only in the answer that makes it, `usage` only where one key is asked for."""

    id: str
    object: Literal["api_key"] = "api_key"
    owner: str
    name: str
    scopes: list[Scope]
    limits: Limits
    created_at: int
    revoked_at: int | None
    usage: Usage | None = None
    key: str | None = None


class KeyListView(_Shown):
    """The owner's keys, oldest first."""

    object: Literal["list"] = "list"
    data: list[KeyView]


class AuditView(_Shown):
    """The newest entries of a key's audit trail, newest first."""

    object: Literal["list"] = "list"
    data: list[AuditEntry]


def key_view(record: ApiKey, *, usage: Usage | None = None, key: str | None = None) -> KeyView:
    """The key as its owner sees it."""
    return KeyView(
        id=record.id,
        owner=record.owner,
        name=record.name,
        scopes=list(record.scopes),
        limits=record.limits,
        created_at=int(record.created_at),
        revoked_at=None if record.revoked_at is None else int(record.revoked_at),
        usage=usage,
        key=key,
    )
