"""`/v1/videos/{id}/remix`, `/v1/videos/edits`, `/v1/videos/extensions`: new videos from finished ones."""

from aws_lambda_powertools.event_handler import Response

from lambdas import services
from lambdas.api.auth import owner_of
from lambdas.api.http import Body, HttpEvent, read_body
from lambdas.api.videos import accept


def edit(event: HttpEvent) -> Response[str]:
    """A new video that begins at the first frame of another."""
    owner = owner_of(event)
    body = read_body(event)
    derived = services.derivations().edit(body.raw, owner=owner, texts=body.texts)
    return accept(event, owner, Body(derived.raw, body.texts), derived=derived)


def extend(event: HttpEvent) -> Response[str]:
    """A video and what comes after it, as one."""
    owner = owner_of(event)
    body = read_body(event)
    derived = services.derivations().extension(body.raw, owner=owner, texts=body.texts)
    return accept(event, owner, Body(derived.raw, body.texts), derived=derived)


def remix(event: HttpEvent, video_id: str) -> Response[str]:
    """The same video by another prompt."""
    owner = owner_of(event)
    body = read_body(event)
    derived = services.derivations().remix(body.raw, video_id=video_id, owner=owner, texts=body.texts)
    return accept(event, owner, Body(derived.raw, body.texts), derived=derived)
