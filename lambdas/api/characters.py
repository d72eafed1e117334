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
from lambdas.api.http import HttpEvent, answer, idempotency_key, is_retry, read_model
from lambdas.api.query import character_query


def create_character(event: HttpEvent) -> Response[str]:
    """Take in what a character is to be learned from."""
    owner = owner_of(event)
    character = services.casting().create(
        read_model(event, CharacterBody), owner=owner, idempotency_key=idempotency_key(event), is_retry=is_retry(event)
    )
    return answer(character_view(character).model_dump(mode="json"))


def list_characters(event: HttpEvent) -> Response[str]:
    """One page of the owner's characters."""
    owner = owner_of(event)
    query = character_query(event.query_string_parameters)
    page = services.characters().list(owner, after=query.after, limit=query.limit, order=query.order)
    data = [character_view(character) for character in page.characters]
    ends = (data[0].id, data[-1].id) if data else (None, None)
    view = CharacterListView(data=data, has_more=page.has_more, first_id=ends[0], last_id=ends[1])
    return answer(view.model_dump(mode="json"))


def retrieve_character(event: HttpEvent, character_id: str) -> Response[str]:
    """One character."""
    character = services.characters().get(character_id, owner=owner_of(event))
    return answer(character_view(character).model_dump(mode="json"))


def delete_character(event: HttpEvent, character_id: str) -> Response[str]:
    """Forget a character; videos that were made with it stay."""
    character = services.characters().delete(character_id, owner=owner_of(event))
    return answer(CharacterDeletedView(id=character.id, deleted=True).model_dump(mode="json"))
