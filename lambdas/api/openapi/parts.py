"""What operations are described with: their answers, bodies and parameters."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from lambdas.api.openapi.forms import form_schema
from lambdas.api.views import ErrorView

Described = dict[str, Any]
Mode = Literal["validation", "serialization"]

_ERRORS = {
    400: "Bad request; `param` names the field",
    401: "No API key, or not a valid one",
    402: "The key's monthly budget does not cover it; the message has the numbers",
    403: "The key lacks the scope that the call needs",
    404: "Not there, or another owner's",
    422: "The idempotency key came with another request before",
    429: "Too many requests or videos for this key; `retry-after` says when to come again",
    500: "The server had an error",
}
_ANY_KEY = (401, 403, 429, 500)
"""What every call with a key can be answered, whatever it asks for."""


class Reference(dict[str, str]):
    """A `$ref` to a model's schema. It knows the model: the document describes every one that is referred to."""

    def __init__(self, model: type[BaseModel], mode: Mode) -> None:
        super().__init__({"$ref": f"#/components/schemas/{model.__name__}"})
        self.described = model, mode


def references(node: object) -> Iterator[Reference]:
    """Those in a part of the document."""
    if isinstance(node, Reference):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from references(value)


def operation(
    name: str,
    summary: str,
    shown: type[BaseModel],
    errors: Sequence[int] = (),
    parameters: Sequence[Described] = (),
    *,
    body: Described | None = None,
) -> Described:
    """One that shows a model; `errors` beside those that every key can get."""
    return described(name, summary, {"200": answer(summary, shown)}, errors, parameters, body=body)


def described(
    name: str,
    summary: str,
    answers: Described,
    errors: Sequence[int] = (),
    parameters: Sequence[Described] = (),
    *,
    body: Described | None = None,
) -> Described:
    """One with `answers` of its own beside the errors."""
    refused = {str(status): answer(_ERRORS[status], ErrorView) for status in (*errors, *_ANY_KEY)}
    found: Described = {
        "operationId": name,
        "summary": summary,
        "responses": dict(sorted((answers | refused).items())),
    }
    if parameters:
        found["parameters"] = list(parameters)
    if body is not None:
        found["requestBody"] = body
    return found


def answer(description: str, shown: type[BaseModel]) -> Described:
    return {"description": description, "content": _json(shown, "serialization")}


def json_or_form(body: type[BaseModel]) -> Described:
    """As JSON and as a form. That a body needs one of two fields is told in words: `anyOf` beside a `$ref` becomes, in
    generated clients, a type that no plain body fits."""
    form = {"multipart/form-data": {"schema": form_schema(body)}}
    return {"required": True, "content": _json(body, "validation") | form}


def json_body(body: type[BaseModel]) -> Described:
    """As JSON alone; to be left out where no field is needed."""
    needed = any(field.is_required() for field in body.model_fields.values())
    return {"required": needed, "content": _json(body, "validation")}


def parameter(name: str, where: str, schema: Described | None = None) -> Described:
    return {"name": name, "in": where, "required": where == "path", "schema": schema or {"type": "string"}}


def in_path(name: str, pattern: str) -> Described:
    return parameter(name, "path", {"type": "string", "pattern": pattern})


def idempotency_key() -> Described:
    return parameter("Idempotency-Key", "header", {"type": "string", "minLength": 1, "maxLength": 255})


def _json(model: type[BaseModel], mode: Mode) -> Described:
    return {"application/json": {"schema": Reference(model, mode)}}
