"""The OpenAPI 3.1 description, made from the models that check and show: `python -m lambdas.api.openapi` writes
`docs/openapi.json`. A path is added in the module of what it is about."""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from lambdas.api.openapi import characters, studio, videos, webhooks
from lambdas.api.openapi.parts import references
from lambdas.api.refusals import table

PATH = Path(__file__).parents[3] / "docs" / "openapi.json"
_MODULES = (videos, characters, studio, webhooks)
_ABOUT = """The OpenAI Videos dialect, and what it lacks: cancel, quotes, ETA, cost, multi-shot.

Errors are always `{"error": {message, type, param, code}}`; `param` names the field, and `code` is one of these:

"""


def document() -> dict[str, Any]:
    """The whole document."""
    paths = _tagged({path: found for module in _MODULES for path, found in module.paths().items()})
    described = dict.fromkeys(each.described for each in references(paths))
    _, schemas = models_json_schema(list(described), ref_template="#/components/schemas/{model}")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Revalida Video", "version": "1", "description": _ABOUT + table()},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(schemas["$defs"].items())),
        },
    }


def text() -> str:
    """The committed form."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def _tagged(paths: dict[str, Any]) -> dict[str, Any]:
    for path, operations in paths.items():
        for operation in operations.values():
            operation["tags"] = [_group(path)]
    return paths


def _group(path: str) -> str:
    """What the operation is about, as pages and generated clients sort them."""
    part = path.split("/")[2]
    if path.startswith("/v1/videos/characters"):
        return "characters"
    return {"openapi.json": "about", "docs": "about"}.get(part, "webhooks" if part.startswith("webhook") else part)
