"""Who is asking: the bearer key's owner."""

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from lambdas import services
from lambdas.api.http import ApiError


def owner_of(event: APIGatewayProxyEventV2) -> str:
    """The owner of the request's API key. Raises ApiError 401."""
    scheme, _, key = event.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        message = "You didn't provide an API key: send 'Authorization: Bearer sk-...'."
        raise ApiError(401, message, code="invalid_api_key")
    known = services.keys().find(key.strip())
    if known is None:
        raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")
    return known.owner
