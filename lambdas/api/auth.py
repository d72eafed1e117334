"""Who is asking: the bearer key's owner, if the key may do what is asked, and not too often."""

from contextvars import ContextVar

from jobs.keys import ApiKey, Scope
from lambdas import services
from lambdas.api.http import ApiError, HttpEvent

_ADMIN_PATHS = ("/v1/keys", "/v1/webhook")  # an endpoint is told of every video of the owner's
_READING_POSTS = ("/v1/videos/estimate",)
_caller: ContextVar[ApiKey | None] = ContextVar("caller", default=None)


def owner_of(event: HttpEvent) -> str:
    """The owner of the request's API key. Raises ApiError 401, 403, and LimitReached."""
    key = _key(event)
    _caller.set(key)
    needed = scope_of(event.http_method, event.path)
    if needed not in key.scopes:
        message = f"This API key lacks the scope '{needed}'; it has: {', '.join(key.scopes) or 'none'}."
        raise ApiError(403, message, code="insufficient_scope", kind="permission_error")
    services.usage().count_request(key.id, key.limits)
    return key.owner


def caller() -> ApiKey | None:
    """The key of the request at hand, once `owner_of` has found it."""
    return _caller.get()


def forget_caller() -> None:
    """A new request begins."""
    _caller.set(None)


def scope_of(method: str, path: str) -> Scope:
    """What a key must be allowed for a call."""
    if path.startswith(_ADMIN_PATHS):
        return Scope.ADMIN
    if method.upper() in {"GET", "HEAD"} or path in _READING_POSTS:
        return Scope.READ
    return Scope.SUBMIT


def _key(event: HttpEvent) -> ApiKey:
    scheme, _, text = event.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        message = "You didn't provide an API key: send 'Authorization: Bearer sk-...'."
        raise ApiError(401, message, code="invalid_api_key")
    known = services.keys().find(text.strip())
    if known is None:
        raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")
    return known
