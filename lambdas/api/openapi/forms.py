"""How the OpenAPI description tells of forms."""

from typing import Any

from pydantic import BaseModel

_FILES = {"archive", "image", "input_reference", "video"}


def form_schema(body: type[BaseModel]) -> dict[str, Any]:
    """The body as a multipart form: what is nested is a JSON text, or bracketed names (`loras[][name]`)."""
    schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
    return {
        "type": "object",
        "description": f"The fields of {body.__name__} as texts. Nested ones are JSON, or bracketed names "
        "(`loras[][name]`, `metadata[scene]`); `input_reference`, `image`, `video` and `archive` may be files.",
        "properties": {name: _text(name, field) for name, field in schema["properties"].items()},
        "required": schema.get("required", []),
        "additionalProperties": False,
    }


def _text(name: str, field: dict[str, Any]) -> dict[str, Any]:
    if name in _FILES:
        return {"type": "string", "contentMediaType": "application/octet-stream"}
    arms = [arm for arm in field.get("anyOf", [field]) if arm.get("type") != "null"]
    if any(arm.get("type") not in {"string", "integer", "number", "boolean"} and "enum" not in arm for arm in arms):
        return {"type": "string", "contentMediaType": "application/json"}
    return arms[0] if len(arms) == 1 else {"anyOf": arms}
