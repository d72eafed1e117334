"""The stack: composes the constructs and hands each what it needs of the others."""

import json

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.agent_permissions import grant_agent
from cdk.alerts import Alerts
from cdk.api import Api
from cdk.console import Console
from cdk.dashboard import Dashboard
from cdk.events import Events
from cdk.fleet import DRAIN_HOOK, Fleet
from cdk.functions import DomainFunction, FunctionDefaults
from cdk.image import AgentImage, parameter_name
from cdk.nag import acknowledge
from cdk.network import Network
from cdk.observability import Observability
from cdk.permissions import Permissions
from cdk.queues import JobQueues
from cdk.settings import StackSettings
from cdk.storage import Storage
from cdk.wakes import Wakes
from cdk.webhooks import FUNCTION_TIMEOUT_S, Webhooks
from models.catalog import all_models, get

# Seconds that a function may run, where it does more than answer a request: HTTP API itself waits 30 s.
_FUNCTION_TIMEOUT_S = {
    "api": 29,
    "drop_folder": 300,
    "video_requested": 60,
    "publisher": 60,
    "outbox": 300,
    "webhooks": FUNCTION_TIMEOUT_S,
    "planner": 60,
    "sweeper": 300,
}


class VideoStack(Stack):
    """The whole studio. `lambda_bundle` is the directory that all functions run from."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: StackSettings, lambda_bundle: str, **kwargs: object
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)  # type: ignore[arg-type]
        self._settings = settings
        self._asg_name = f"{settings.prefix}-fleet"
        self._keep_data()
        self._transport()
        self._fleet_of_instances()
        self._compute(lambda_bundle)
        self._doors()
        self._triggers()
        self._permissions()
        self._watch()
        self._outputs()

    def _keep_data(self) -> None:
        self.storage = Storage(self, "Storage", settings=self._settings.data)

    def _transport(self) -> None:
        settings = self._settings
        self.queues = JobQueues(
            self,
            "Queues",
            prefix=settings.prefix,
            models=all_models(),
            settings=settings.queues,
        )
        self.failures = sqs.Queue(
            self,
            "Failures",
            queue_name=f"{settings.prefix}-lambda-failures",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=Duration.days(14),
        )
        acknowledge(self.failures, "AwsSolutions-SQS3", "This is the dead-letter queue of the rules.")
        self.events = Events(
            self,
            "Events",
            bus_name=settings.event_bus_name,
            archive_days=settings.events.archive_days,
            dead_letters=self.failures,
        )

    @property
    def _environment(self) -> dict[str, str]:
        """What jobs.settings.Settings reads, for the functions and for the agents."""
        return {
            "REVALIDA_STAGE": self._settings.stage,
            "REVALIDA_TABLE": self.storage.table.table_name,
            "REVALIDA_MEDIA_BUCKET": self.storage.media.bucket_name,
            "REVALIDA_EVENT_BUS": self._settings.event_bus_name,
            "REVALIDA_QUEUE_PREFIX": self._settings.prefix,
            "REVALIDA_ASG_NAME": self._asg_name,
            "REVALIDA_DEFAULT_MODEL": get(self._settings.default_model).id,
            "REVALIDA_ACKNOWLEDGED_LICENCES": json.dumps(
                [get(each).id for each in self._settings.acknowledged_licences]
            ),
            "REVALIDA_INSTANCE_TYPES": json.dumps(self._settings.fleet.placement_types),
        }

    def _fleet_of_instances(self) -> None:
        settings = self._settings
        self.alerts = Alerts(self, "Alerts", email=settings.alarm_email)
        network = Network(
            self,
            "Network",
            prefix=settings.prefix,
            availability_zones=settings.availability_zones,
            isolated=settings.fleet.isolated_network,
            bakes_images=settings.fleet.image.build,
            flow_logs=settings.fleet.flow_logs,
            log_retention_days=settings.functions.log_retention_days,
        )
        self.fleet = Fleet(
            self,
            "Fleet",
            group_name=self._asg_name,
            network=network,
            environment=self._agent_environment,
            alerts=self.alerts.topic,
            settings=settings.fleet,
            log_retention_days=settings.functions.log_retention_days,
            image_parameter=parameter_name(settings.prefix) if settings.fleet.image.use else None,
        )
        if settings.fleet.image.build:
            AgentImage(
                self,
                "AgentImage",
                prefix=settings.prefix,
                network=network,
                storage=self.storage,
                alerts=self.alerts.topic,
                settings=settings.fleet,
            )
        grant_agent(self.fleet, self.storage, self.queues)

    @property
    def _agent_environment(self) -> dict[str, str]:
        """What an instance's agent is told; the local system reads it from the output of the same name."""
        fleet = self._settings.fleet
        return {
            **self._environment,
            "AWS_DEFAULT_REGION": self._settings.region,
            "REVALIDA_AGENT_VERSION": fleet.agent_version,
            "REVALIDA_IDLE_LIMIT_S": str(fleet.idle_limit_s),
            "REVALIDA_TIER": fleet.tier,
            "REVALIDA_LATENCY_TARGET_S": str(fleet.latency_target_s),
            "REVALIDA_INSTANCE_USD_PER_HOUR": self._on_demand_prices,
            "REVALIDA_LIFECYCLE_HOOK": DRAIN_HOOK,
        }

    @property
    def _trust(self) -> dict[str, str]:
        """Where a webhook may lead beside the public internet."""
        return {"REVALIDA_TRUSTED_NETWORKS": json.dumps([str(one) for one in self._settings.api.trusted_networks])}

    @property
    def _on_demand_prices(self) -> str:
        return json.dumps({kind.name: kind.on_demand_usd_per_hour for kind in self._settings.fleet.instance_types})

    @property
    def _limits(self) -> dict[str, str]:
        """What the planner and the sweeper keep to."""
        fleet, scaling = self._settings.fleet, self._settings.scaling
        return {
            "REVALIDA_MAX_INSTANCES": str(fleet.max_instances),
            "REVALIDA_MAX_USD_PER_HOUR": str(fleet.max_usd_per_hour),
            "REVALIDA_MAX_USD_PER_MONTH": str(fleet.max_usd_per_month),
            "REVALIDA_LATENCY_TARGET_S": str(fleet.latency_target_s),
            "REVALIDA_TARGET_BACKLOG_S": str(scaling.target_backlog_s),
            "REVALIDA_SLOTS_PER_INSTANCE": str(scaling.slots_per_instance),
            "REVALIDA_VCPUS_PER_INSTANCE": str(max(kind.vcpus for kind in fleet.instance_types)),
            "REVALIDA_SPOT_VCPU_QUOTA": str(fleet.vcpu_quota),
            "REVALIDA_ON_DEMAND_ASG_NAME": self.fleet.on_demand_name,
            "REVALIDA_ON_DEMAND_VCPU_QUOTA": str(fleet.on_demand.vcpu_quota),
            "REVALIDA_ON_DEMAND_TYPES": json.dumps(fleet.on_demand.types),
            "REVALIDA_INSTANCE_USD_PER_HOUR": self._on_demand_prices,
            "REVALIDA_STARVE_AFTER_S": str(scaling.starve_after_s),
            "REVALIDA_RETRY_SPOT_AFTER_S": str(scaling.retry_spot_after_s),
            "REVALIDA_LAUNCH_RESERVE_S": str(scaling.launch_reserve_s),
            "REVALIDA_MOVE_LEAST_S": str(scaling.move_least_s),
            "REVALIDA_WARM_WINDOWS": json.dumps([window.model_dump() for window in scaling.warm_windows]),
            "REVALIDA_RESEND_AFTER_S": str(scaling.resend_after_s),
            "REVALIDA_MAX_WAIT_S": str(scaling.max_wait_s),
            "REVALIDA_UPLOAD_RETENTION_S": str(86_400 * self._settings.data.upload_retention_days),
        }

    def _compute(self, lambda_bundle: str) -> None:
        defaults = FunctionDefaults(
            prefix=self._settings.prefix,
            code=lambda_.Code.from_asset(lambda_bundle),
            settings=self._settings.functions,
            environment={**self._environment, **self._limits, **self._trust},
        )
        self.functions = {
            name: DomainFunction(self, _pascal(name), name=name, defaults=defaults, timeout_s=timeout_s)
            for name, timeout_s in _FUNCTION_TIMEOUT_S.items()
        }

    def _doors(self) -> None:
        """Where requests come in: the API and its console, the drop folder, events."""
        functions, settings = self.functions, self._settings
        self.api = Api(
            self,
            "HttpApi",
            prefix=settings.prefix,
            handler=functions["api"],
            settings=settings.api,
            log_retention_days=settings.functions.log_retention_days,
        )
        self.console = None
        if settings.console:
            self.console = Console(
                self,
                "Console",
                prefix=settings.prefix,
                domain=settings.domain,
                api_endpoint=self.api.url,
                media=self.storage.media,
            )
        self.events.on_object("Dropped", self.storage.media, "inbox/", functions["drop_folder"])
        self.events.on_request("VideoRequested", functions["video_requested"])

    def _triggers(self) -> None:
        """What the other functions run on: changes of jobs, queued work, the clock."""
        functions, settings = self.functions, self._settings
        self._publish_changes()
        Wakes(
            self,
            "Backlog",
            queue_name=f"{settings.prefix}-planner-wakes",
            bus=self.events,
            detail_types=["Video Queued", "Video Interrupted"],
            function=functions["planner"],
            function_timeout_s=_FUNCTION_TIMEOUT_S["planner"],
            dead_letters=self.failures,
        )
        self.events.on_video(
            "Ended",
            ["Video Completed", "Video Failed", "Video Cancelled"],
            functions["outbox"],
            detail={"job": {"source": {"door": ["drop_folder"]}}},
        )
        self.events.each_minute("PlannerTick", functions["planner"])
        self.events.each_minute("SweeperTick", functions["sweeper"])
        Webhooks(
            self,
            "WebhookDelivery",
            prefix=settings.prefix,
            at_once=settings.api.webhooks_at_once,
            bus=self.events,
            dead_letters=self.failures,
            function=functions["webhooks"],
        )

    def _publish_changes(self) -> None:
        self.functions["publisher"].function.add_event_source(
            sources.DynamoEventSource(
                self.storage.table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=100,
                bisect_batch_on_error=True,
                report_batch_item_failures=True,
                # Retried until the stream drops the record after 24 h: an event is promised for every change.
                filters=[{"pattern": json.dumps({"dynamodb": {"Keys": {"sk": {"S": ["JOB"]}}}})}],
                on_failure=sources.SqsDlq(self.failures),
            )
        )

    def _permissions(self) -> None:
        grants = Permissions(storage=self.storage, queues=self.queues, fleet=self.fleet, events=self.events)
        for name, function in self.functions.items():
            getattr(grants, name)(function)

    def _watch(self) -> None:
        functions = {name: function.function for name, function in self.functions.items()}
        Dashboard(
            self,
            "Board",
            name=f"{self._settings.prefix}-video",
            functions=functions.values(),
            queues=self.queues,
            failures=self.failures,
            max_usd_per_month=self._settings.fleet.max_usd_per_month,
        )
        Observability(
            self,
            "Observability",
            prefix=self._settings.prefix,
            alerts=self.alerts.topic,
            functions=functions,
            queues=self.queues,
            failures=self.failures,
            api=self.api.http_api,
            latency_target_s=self._settings.fleet.latency_target_s,
        )

    def _outputs(self) -> None:
        for name, value in {
            "ApiUrl": self.api.url,
            "ApiId": self.api.http_api.api_id,
            "MediaBucket": self.storage.media.bucket_name,
            "EventBus": self.events.bus.event_bus_name,
            "TableName": self.storage.table.table_name,
            "AsgName": self._asg_name,
            "QueuePrefix": self._settings.prefix,
            "AgentEnvironment": self.to_json_string(self._agent_environment),
        }.items():
            CfnOutput(self, name, value=value)
        if self.console is not None:
            CfnOutput(self, "ConsoleUrl", value=self.console.url)
            CfnOutput(self, "ConsoleBucket", value=self.console.bucket.bucket_name)
            CfnOutput(self, "ConsoleTarget", value=self.console.distribution.distribution_domain_name)
            CfnOutput(self, "ConsoleDistribution", value=self.console.distribution.distribution_id)


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
