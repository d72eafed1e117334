"""`/v1/openapi.json`."""

from aws_lambda_powertools.event_handler import Response

from lambdas.api.http import HttpEvent, answer


def openapi(_event: HttpEvent) -> Response[str]:
    """The API's description; needs no key."""
    from lambdas.api.openapi import document  # building it costs more than all other routes

    return answer(document())
