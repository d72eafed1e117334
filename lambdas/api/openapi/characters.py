"""Characters: taken in, reviewed, trained, fetched, forgotten."""

from typing import Any

from jobs.character import CharacterBody, ReviewBody
from jobs.character_view import CharacterDeletedView, CharacterListView, CharacterView, PictureListView, TrainingView
from jobs.ids import CHARACTER_ID_PATTERN
from jobs.training import TrainingBody
from lambdas.api.openapi.parts import (
    Described,
    described,
    idempotency_key,
    in_path,
    json_or_form,
    operation,
    parameter,
)
from lambdas.api.openapi.videos import list_query

_ONE = in_path("character_id", CHARACTER_ID_PATTERN)
_ERRORS = (400, 404)


def paths() -> dict[str, Any]:
    """Everything below `/v1/videos/characters`."""
    return {**_all(), **_of_one("/v1/videos/characters/{character_id}")}


def _all() -> dict[str, Any]:
    made = operation(
        "createCharacter",
        "Take in a character",
        CharacterView,
        (*_ERRORS, 422),
        [idempotency_key()],
        body=json_or_form(CharacterBody),
    )
    return {
        "/v1/videos/characters": {
            "post": made,
            "get": operation("listCharacters", "List characters", CharacterListView, (400,), _query()),
        },
        "/v1/videos/characters/{character_id}": {
            "get": operation("retrieveCharacter", "One character", CharacterView, (404,), [_ONE]),
            "delete": operation("deleteCharacter", "Forget it", CharacterDeletedView, (404,), [_ONE]),
        },
    }


def _of_one(one: str) -> dict[str, Any]:
    """What comes after it is made: review, training, the finished file."""
    reviewed = operation(
        "reviewCharacterImages",
        "Accept or reject them",
        PictureListView,
        _ERRORS,
        [_ONE],
        body=json_or_form(ReviewBody),
    )
    trained = operation(
        "trainCharacter", "Begin a version", CharacterView, _ERRORS, [_ONE], body=json_or_form(TrainingBody)
    )
    version = parameter("version", "query", {"type": "integer", "minimum": 1})
    return {
        f"{one}/images": {
            "get": operation("listCharacterImages", "Generated pictures", PictureListView, (404,), [_ONE]),
            "post": reviewed,
        },
        f"{one}/train": {"post": trained},
        f"{one}/cancel": {"post": operation("cancelCharacter", "Stop its training", CharacterView, _ERRORS, [_ONE])},
        f"{one}/training": {
            "get": operation("watchTraining", "Losses and samples", TrainingView, _ERRORS, [_ONE, version])
        },
        f"{one}/training/loss.svg": {"get": _loss_plot(version)},
        f"{one}/lora": {"get": _lora(version)},
    }


def _loss_plot(version: Described) -> Described:
    svg = {"description": "An SVG", "content": {"image/svg+xml": {"schema": {"type": "string"}}}}
    return described("plotTraining", "The loss curve", {"200": svg}, _ERRORS, [_ONE, version])


def _lora(version: Described) -> Described:
    expert = parameter("expert", "query", {"type": "string", "enum": ["high_noise", "low_noise"]})
    layout = parameter("layout", "query", {"type": "string", "enum": ["diffusers", "comfyui"]})
    found = {"302": {"description": "`Location` is the file, for an hour"}}
    given = [_ONE, version, expert, layout]
    return described("downloadLora", "The trained file of one expert", found, _ERRORS, given)


def _query() -> list[Described]:
    after = parameter("after", "query", {"type": "string", "pattern": CHARACTER_ID_PATTERN})
    return [after, *(each for each in list_query() if each["name"] in {"limit", "order"})]
