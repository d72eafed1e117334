"""`/v1/openapi.json`."""

from aws_lambda_powertools.event_handler import Response

from lambdas.api.http import answer
from lambdas.api.routing import new_router

router = new_router()


@router.get("/v1/openapi.json")
def openapi() -> Response[str]:
    """The API's description; needs no key."""
    from lambdas.api.openapi import document  # building it costs more than all other routes

    return answer(document())
