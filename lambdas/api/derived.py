"""`/v1/videos/{id}/remix`, `/v1/videos/edits`, `/v1/videos/extensions`: new videos from finished ones."""

from aws_lambda_powertools.event_handler import Response

from lambdas import services
from lambdas.api.auth import owner_of
from lambdas.api.http import Body, read_body
from lambdas.api.routing import new_router
from lambdas.api.videos import accept

router = new_router()


@router.post("/v1/videos/edits")
def edit() -> Response[str]:
    """A new video that begins at the first frame of another."""
    event = router.current_event
    owner = owner_of(event)
    body = read_body(event)
    derived = services.derivations().edit(body.raw, owner=owner, texts=body.texts)
    return accept(event, owner, Body(derived.raw, body.texts), derived=derived)


@router.post("/v1/videos/extensions")
def extend() -> Response[str]:
    """A video and what comes after it, as one."""
    event = router.current_event
    owner = owner_of(event)
    body = read_body(event)
    derived = services.derivations().extension(body.raw, owner=owner, texts=body.texts)
    return accept(event, owner, Body(derived.raw, body.texts), derived=derived)


@router.post("/v1/videos/<video_id>/remix")
def remix(video_id: str) -> Response[str]:
    """The same video by another prompt."""
    event = router.current_event
    owner = owner_of(event)
    body = read_body(event)
    derived = services.derivations().remix(body.raw, video_id=video_id, owner=owner, texts=body.texts)
    return accept(event, owner, Body(derived.raw, body.texts), derived=derived)
