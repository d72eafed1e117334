"""The HTTP API: every route goes to one function, which knows the keys and answers errors in one shape."""

import json

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_integrations as integrations
from constructs import Construct

from cdk.functions import DomainFunction
from cdk.log_groups import log_group
from cdk.nag import acknowledge
from cdk.settings import ApiSettings

_ACCESS_LOG_FORMAT = {
    "requestId": "$context.requestId",
    "ip": "$context.identity.sourceIp",
    "requestTime": "$context.requestTime",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "responseLength": "$context.responseLength",
    "latencyMs": "$context.responseLatency",
    "integrationError": "$context.integrationErrorMessage",
}


# What a browser must ask leave for. Each by its name: an HTTP API takes no wildcard within one, and for a browser a `*`
# does not stand for `authorization`. Beside ours, what the openai SDKs of Python and npm send of themselves.
_REQUEST_HEADERS = (
    "authorization",
    "content-type",
    "idempotency-key",
    "openai-organization",
    "openai-project",
    "prefer",
    "user-agent",
    *(
        f"x-stainless-{name}"
        for name in (
            "arch",
            "async",
            "custom-poll-interval",
            "helper-method",
            "lang",
            "os",
            "package-version",
            "poll-helper",
            "raw-response",
            "read-timeout",
            "retry-count",
            "runtime",
            "runtime-version",
            "timeout",
        )
    ),
)
# What a page may read of an answer: by these the SDKs wait, and repeat or do not.
_ANSWER_HEADERS = ("allow", "apigw-requestid", "openai-poll-after-ms", "retry-after", "x-should-retry")


class Api(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        handler: DomainFunction,
        settings: ApiSettings,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self.http_api = apigateway.HttpApi(
            self,
            "Http",
            api_name=f"{prefix}-api",
            create_default_stage=False,
            default_integration=integrations.HttpLambdaIntegration("Api", handler.function),
            cors_preflight=cors(settings.allowed_origins),
        )
        acknowledge(
            self.http_api,
            "AwsSolutions-APIG4",
            "The function authenticates: bearer keys are compared with their hashes in the table, and errors keep "
            "the dialect's shape, which an authorizer's 401 would not.",
        )
        self._stage(prefix, settings, log_retention_days)

    @property
    def url(self) -> str:
        return self.http_api.api_endpoint

    def _stage(self, prefix: str, settings: ApiSettings, log_retention_days: int) -> None:
        logs = log_group(self, "AccessLogs", name=f"/aws/apigateway/{prefix}-api", retention_days=log_retention_days)
        apigateway.CfnStage(
            self,
            "Stage",
            api_id=self.http_api.api_id,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=apigateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=logs.log_group_arn, format=json.dumps(_ACCESS_LOG_FORMAT)
            ),
            default_route_settings=apigateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=settings.throttle_rate_per_s, throttling_burst_limit=settings.throttle_burst
            ),
        )


def cors(allowed_origins: tuple[str, ...]) -> apigateway.CorsPreflightOptions | None:
    """What pages of those origins may send and read; None where there is no origin."""
    if not allowed_origins:
        return None
    return apigateway.CorsPreflightOptions(
        allow_origins=list(allowed_origins),
        allow_methods=[apigateway.CorsHttpMethod.ANY],
        allow_headers=list(_REQUEST_HEADERS),
        expose_headers=list(_ANSWER_HEADERS),
    )
