"""`/v1/videos/characters`: create, list, retrieve, delete."""

from aws_lambda_powertools.event_handler import Response

from jobs.character import (
    CharacterBody,
    CharacterDeletedView,
    CharacterListView,
    character_view,
)
from lambdas import services
from lambdas.api.auth import owner_of
from lambdas.api.http import answer, read_model
from lambdas.api.query import character_query
from lambdas.api.routing import new_router

router = new_router()


@router.post("/v1/videos/characters")
def create_character() -> Response[str]:
    """Take in what a character is to be learned from."""
    event = router.current_event
    owner = owner_of(event)
    character = services.casting().create(read_model(event, CharacterBody), owner=owner)
    return answer(character_view(character).model_dump(mode="json"))


@router.get("/v1/videos/characters")
def list_characters() -> Response[str]:
    """One page of the owner's characters."""
    event = router.current_event
    owner = owner_of(event)
    query = character_query(event.query_string_parameters)
    page = services.characters().list(owner, after=query.after, limit=query.limit, order=query.order)
    data = [character_view(character) for character in page.characters]
    ends = (data[0].id, data[-1].id) if data else (None, None)
    view = CharacterListView(data=data, has_more=page.has_more, first_id=ends[0], last_id=ends[1])
    return answer(view.model_dump(mode="json"))


@router.get("/v1/videos/characters/<character_id>")
def retrieve_character(character_id: str) -> Response[str]:
    """One character."""
    character = services.characters().get(character_id, owner=owner_of(router.current_event))
    return answer(character_view(character).model_dump(mode="json"))


@router.delete("/v1/videos/characters/<character_id>")
def delete_character(character_id: str) -> Response[str]:
    """Forget a character; videos that were made with it stay."""
    character = services.characters().delete(character_id, owner=owner_of(router.current_event))
    return answer(CharacterDeletedView(id=character.id, deleted=True).model_dump(mode="json"))
