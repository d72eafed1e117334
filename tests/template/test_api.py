"""The HTTP API for pages of other origins (`api.allowed_origins`, which `cdk.json` leaves empty)."""

from typing import Any

import openai
import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk.assertions import Template

from cdk.api import cors


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    stack = Stack(App())
    apigateway.HttpApi(stack, "Http", cors_preflight=cors(("https://app.example",)))
    (api,) = Template.from_stack(stack).find_resources("AWS::ApiGatewayV2::Api").values()
    found: dict[str, Any] = api["Properties"]["CorsConfiguration"]
    return found


def test_given_another_origin_then_all_that_the_openai_sdk_sends_passes_the_preflight(
    configuration: dict[str, Any],
) -> None:
    client = openai.OpenAI(api_key="sk-x", organization="o", project="p")
    by_themselves = {name.lower() for name in client.default_headers} - {"accept"}  # a browser asks no leave for it
    # openai-node 6 in a browser, and the helpers of both.
    of_npm = ("retry-count", "timeout", "helper-method", "poll-helper", "custom-poll-interval")
    ours = {"authorization", "content-type", "idempotency-key", "prefer"}

    sent = by_themselves | ours | {f"x-stainless-{name}" for name in (*of_npm, "read-timeout")}

    assert not sent - set(configuration["AllowHeaders"])


def test_given_another_origin_then_its_pages_read_when_to_ask_again(configuration: dict[str, Any]) -> None:
    assert {"retry-after", "x-should-retry", "openai-poll-after-ms"} <= set(configuration["ExposeHeaders"])


def test_given_no_other_origin_then_nothing_is_allowed() -> None:
    assert cors(()) is None
