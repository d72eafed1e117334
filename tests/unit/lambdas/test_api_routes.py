"""The table of routes: what stands there by name is there, and takes what its path hands over."""

import inspect
import re
from importlib import import_module

import pytest

from lambdas.api.routes import ROUTES, Route


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_given_a_route_then_its_function_takes_the_event_and_the_paths_parameters(route: Route) -> None:
    module, _, name = route.function.partition(".")

    function = getattr(import_module(f"lambdas.api.{module}"), name)

    first, *others = inspect.signature(function).parameters
    assert first.lstrip("_") == "event"
    assert others == re.findall(r"<(\w+)>", route.path)


def test_given_the_routes_then_each_stands_once() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
