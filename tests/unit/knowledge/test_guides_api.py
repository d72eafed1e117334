"""The API guide and the generated OpenAPI document tell of the same calls."""

import json
import re

from knowledge.load import ROOT

_CALL = re.compile(r"`(GET|POST|DELETE) (/v1/[a-z/.{}_]+)")
METHODS = {"get", "post", "delete", "put", "patch"}


def described() -> set[tuple[str, str]]:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    return {
        (method.upper(), re.sub(r"\{[^}]+\}", "{id}", path).replace("/webhook_endpoints", "/webhooks"))
        for path, operations in paths.items()
        for method in operations.keys() & METHODS
    }


def told(guide: str) -> set[tuple[str, str]]:
    text = (ROOT / "docs" / guide).read_text(encoding="utf-8")
    return {(method, path) for method, path in _CALL.findall(text)}


def test_given_a_call_of_the_api_when_looked_up_then_the_guide_tells_of_it() -> None:
    """Fails when a route is added: give it a line in docs/api.md, and take it out of docs/limits.md."""
    assert described() - told("api.md") == set()


def test_given_a_call_told_of_in_the_guide_when_looked_up_then_the_api_has_it() -> None:
    assert told("api.md") - described() == set()


def test_given_a_call_that_the_limits_say_is_missing_when_looked_up_then_the_api_has_none_such() -> None:
    limits = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8").partition("## Not there yet")[2]
    missing = set(re.findall(r"`([a-z]+)`", limits))
    assert {path for _, path in described() for name in missing if f"/{name}" in path} == set()
