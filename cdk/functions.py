"""A Lambda function of ours: code from the shared bundle, its own log group, its own role with nothing granted yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.log_groups import log_group
from cdk.nag import accept_wildcard, acknowledge
from cdk.settings import FunctionSettings


@dataclass(frozen=True, kw_only=True)
class FunctionDefaults:
    """What all functions have in common."""

    prefix: str
    code: lambda_.Code
    settings: FunctionSettings
    environment: Mapping[str, str] = field(default_factory=dict)


class DomainFunction(Construct):
    """Runs `lambdas.<name>.handler.handler`; grant it what it needs through `allow`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, defaults: FunctionDefaults, timeout_s: int = 29
    ) -> None:
        super().__init__(scope, construct_id)
        settings = defaults.settings
        function_name = f"{defaults.prefix}-{name.replace('_', '-')}"
        logs = log_group(self, "Logs", name=f"/aws/lambda/{function_name}", retention_days=settings.log_retention_days)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [logs.log_group_arn])
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=function_name,
            runtime=lambda_.Runtime(settings.runtime, lambda_.RuntimeFamily.PYTHON),
            architecture=_architecture(settings.architecture),
            handler=f"lambdas.{name}.handler.handler",
            code=defaults.code,
            role=self.role,
            log_group=logs,
            memory_size=1024,
            timeout=Duration.seconds(timeout_s),
            tracing=lambda_.Tracing.ACTIVE if settings.tracing else lambda_.Tracing.DISABLED,
            environment={
                **defaults.environment,
                # No pydantic plugin is in the bundle, and looking for one costs a tenth of a cold start.
                "PYDANTIC_DISABLE_PLUGINS": "true",
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_METRICS_NAMESPACE": defaults.prefix,
                "POWERTOOLS_LOG_LEVEL": settings.log_level,
                "POWERTOOLS_TRACE_DISABLED": "false" if settings.tracing else "true",
            },
        )
        self._acknowledge(settings)

    def allow(self, actions: list[str], resources: list[str]) -> None:
        self.role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))

    def keep_failed_events(self, failures: sqs.IQueue) -> None:
        """Has an event at which the function failed three times put into `failures`: a rule counts it as delivered,
        and Lambda would drop it."""
        self.function.configure_async_invoke(on_failure=destinations.SqsDestination(failures))

    def accept_wildcard(self, resource: str, reason: str) -> None:
        """Writes down why a `*` stands in this function's policy."""
        accept_wildcard(self, resource, reason)

    def _acknowledge(self, settings: FunctionSettings) -> None:
        if settings.tracing:
            self.accept_wildcard("*", "X-Ray's PutTraceSegments and PutTelemetryRecords know no resources.")
        if settings.runtime != "python3.14":
            acknowledge(
                self,
                "AwsSolutions-L1",
                f"{settings.runtime} is the version that the pinned dependencies are tested on.",
            )


def _architecture(name: str) -> lambda_.Architecture:
    return lambda_.Architecture.ARM_64 if name == "arm64" else lambda_.Architecture.X86_64


def account_arn(scope: Construct, service: str, resource: str) -> str:
    """ARN of a resource of this account and region, by name."""
    stack = Stack.of(scope)
    return f"arn:aws:{service}:{stack.region}:{stack.account}:{resource}"
