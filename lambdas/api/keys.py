"""`/v1/keys`: an owner's API keys, their limits, what they used, what was done by them. Needs the scope `admin`."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from lambdas import services
from lambdas.api.auth import owner_of
from lambdas.api.http import HttpEvent, answer, read_model
from lambdas.api.key_views import AuditView, KeyBody, KeyListView, KeyUpdate, key_view

AUDIT_SHOWN = 100
_NO_KEY = {"key"}


def create(event: HttpEvent) -> Response[str]:
    """A new key, shown in this answer and never again."""
    owner = owner_of(event)
    body = read_model(event, KeyBody)
    scopes = tuple(dict.fromkeys(body.scopes))
    key, record = services.keys().add(owner=owner, name=body.name, scopes=scopes, limits=body.limits)
    return answer(key_view(record, key=key).model_dump(mode="json"))


def list_keys(event: HttpEvent) -> Response[str]:
    """The owner's keys, revoked ones too."""
    found = services.keys().of_owner(owner_of(event))
    view = KeyListView(data=[key_view(record) for record in found])
    return answer(view.model_dump(mode="json", exclude={"data": {"__all__": {"key", "usage"}}}))


def retrieve(event: HttpEvent, key_id: str) -> Response[str]:
    """One key, with its account."""
    return _shown(owner_of(event), key_id)


def update(event: HttpEvent, key_id: str) -> Response[str]:
    """Another name, other scopes or limits, from the next request on."""
    owner = owner_of(event)
    services.keys().named(owner, key_id)
    body = read_model(event, KeyUpdate)
    changes: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set if getattr(body, name)}
    if body.scopes:
        changes["scopes"] = tuple(dict.fromkeys(body.scopes))
    services.keys().update(owner, key_id, changes)
    return _shown(owner, key_id)


def revoke(event: HttpEvent, key_id: str) -> Response[str]:
    """The key stops working at once; its account and its trail stay."""
    record = services.keys().revoke_named(owner_of(event), key_id)
    return answer(key_view(record).model_dump(mode="json", exclude={"key", "usage"}))


def audit(event: HttpEvent, key_id: str) -> Response[str]:
    """What was changed by the key, the newest first."""
    record = services.keys().named(owner_of(event), key_id)
    view = AuditView(data=services.audit().read(record.id, limit=AUDIT_SHOWN))
    return answer(view.model_dump(mode="json"))


def _shown(owner: str, key_id: str) -> Response[str]:
    record = services.keys().named(owner, key_id)
    view = key_view(record, usage=services.usage().usage(record.id))
    return answer(view.model_dump(mode="json", exclude=_NO_KEY))
