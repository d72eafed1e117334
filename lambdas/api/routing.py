"""Between Powertools' resolver and our functions: each is imported when it is first asked, and gets the event."""

from collections.abc import Callable
from importlib import import_module

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from lambdas.api.routes import ROUTES, Route

_WITHOUT_PARAMETERS = {route.path for route in ROUTES if "<" not in route.path}


def add_routes(app: APIGatewayHttpResolver) -> None:
    """Have `app` answer every route."""
    for route in ROUTES:
        app.route(route.path, method=route.method)(_answering(app, route))


def methods_of(app: APIGatewayHttpResolver, path: str) -> list[str]:
    """The methods that a path takes, sorted; none if there is no such path. `/v1/videos/estimate` is no video."""
    routes = [route for route in app._static_routes if route.rule.match(path)]
    routes = routes or [route for route in app._dynamic_routes if route.rule.match(path)]
    return sorted({str(route.method).upper() for route in routes})


def _answering(app: APIGatewayHttpResolver, route: Route) -> Callable[..., Response[str]]:
    module, _, name = route.function.partition(".")

    def call(**parameters: str) -> Response[str]:
        if parameters and app.current_event.path in _WITHOUT_PARAMETERS:
            raise NotFoundError(app.current_event.path)  # GET /v1/videos/edits: `edits` is no video's id
        function: Callable[..., Response[str]] = getattr(import_module(f"lambdas.api.{module}"), name)
        return function(app.current_event, **parameters)

    return call
