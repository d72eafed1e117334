"""What an operator may decide about the stack, read from cdk.json's context and checked before anything is built.

The production values are the context key `settings`; a profile (`-c profile=local`) lays the differences in
`settings:<profile>` over them. There is no other switch between local and production.
"""

import platform
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, field_validator, model_validator

LOCAL_STAGE = "local"
Days = Annotated[int, Field(ge=1, le=3650)]
LogRetentionDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 3653]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSettings(_Settings):
    """The bucket and the table. `deletion_protection` also keeps both when the stack is deleted."""

    deletion_protection: bool
    access_logs: bool
    checkpoint_retention_days: Days
    upload_retention_days: Days
    noncurrent_version_retention_days: Days
    allowed_origins: tuple[str, ...]


class QueueSettings(_Settings):
    """`max_receives` is a backstop against messages that no agent can end: the job record counts crashes itself, and
    an interruption puts a fresh message in place of the old one."""

    visibility_timeout_s: Annotated[int, Field(ge=30, le=43_200)]
    retention_days: Annotated[int, Field(ge=1, le=14)]
    max_receives: Annotated[int, Field(ge=5, le=1000)]


class FunctionSettings(_Settings):
    """`runtime: python@local` and `architecture: local` stand for the interpreter and machine that synthesise."""

    runtime: Annotated[str, Field(pattern=r"^python3\.\d+$")]
    architecture: Literal["arm64", "x86_64"]
    log_retention_days: LogRetentionDays
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    tracing: bool

    @field_validator("runtime", mode="before")
    @classmethod
    def _this_interpreter(cls, value: Any) -> Any:
        return f"python{sys.version_info.major}.{sys.version_info.minor}" if value == "python@local" else value

    @field_validator("architecture", mode="before")
    @classmethod
    def _this_machine(cls, value: Any) -> Any:
        if value != "local":
            return value
        return "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"


class ApiSettings(_Settings):
    """`trusted_networks` (CIDR) are where a webhook may lead although it is not the public internet: an operator's own
    receiver. Whoever has an API key can make the functions send requests there. Loopback is the local stage's alone.
    `webhooks_at_once` is how many deliveries are under way at a time; fewer than two AWS does not take."""

    throttle_rate_per_s: Annotated[int, Field(ge=1)]
    throttle_burst: Annotated[int, Field(ge=1)]
    allowed_origins: tuple[str, ...]
    trusted_networks: tuple[IPvAnyNetwork, ...]
    webhooks_at_once: Annotated[int, Field(ge=2, le=1000)]


class DomainSettings(_Settings):
    """The console's own domain. `certificate_arn` is of ACM in us-east-1, wherever the stack is: CloudFront reads it
    there alone. Both empty: CloudFront's own domain. The name's DNS record is the operator's."""

    name: Annotated[str, Field(pattern=r"^(([a-z0-9-]+\.)+[a-z]{2,})?$")]
    certificate_arn: Annotated[str, Field(pattern=r"^(arn:aws:acm:us-east-1:\d{12}:certificate/[0-9a-f-]+)?$")]

    @model_validator(mode="after")
    def _both_or_neither(self) -> "DomainSettings":
        if bool(self.name) != bool(self.certificate_arn):
            raise ValueError("domain.name and domain.certificate_arn go together")
        return self


class EventSettings(_Settings):
    """`archive_days` 0 keeps no archive of the bus."""

    archive_days: Annotated[int, Field(ge=0, le=3650)]


class WarmWindow(_Settings):
    """Instances that stand ready on `days` (0 is Monday) from `from_hour` up to `to_hour`, in UTC.

    Refuses what the planner's `jobs.planner.WarmWindow` refuses: a window that only the function refuses stops it."""

    days: tuple[Annotated[int, Field(ge=0, le=6)], ...]
    from_hour: Annotated[int, Field(ge=0, le=23)]
    to_hour: Annotated[int, Field(ge=1, le=24)]
    instances: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _within_one_day(self) -> "WarmWindow":
        if self.to_hour <= self.from_hour:
            raise ValueError(
                f"scaling.warm_windows: to_hour={self.to_hour} is not after from_hour={self.from_hour}; write a window "
                f"over midnight as two: {self.from_hour} to 24, and 0 to {self.to_hour} with each of its days one later"
            )
        return self


class ScalingSettings(_Settings):
    """How far the planner and the sweeper let things go.

    `target_backlog_s` is the queued work, in seconds, that one instance should have before another is started;
    `resend_after_s` the age at which a queued job without a sign of life gets a fresh message, `max_wait_s` the age
    at which it fails. Spot that delivers nothing for `starve_after_s` gives way to on-demand instances for
    `retry_spot_after_s`. An instance is launched only if the month's limit pays the whole fleet for `launch_reserve_s`.
    The last jobs of an instance move to slots that idle elsewhere if `move_least_s` of work is left; 0 moves none.
    """

    target_backlog_s: Annotated[int, Field(ge=1)]
    slots_per_instance: Annotated[int, Field(ge=1)]
    resend_after_s: Annotated[int, Field(ge=30)]
    max_wait_s: Annotated[int, Field(ge=3600, le=14 * 86_400)]
    starve_after_s: Annotated[int, Field(ge=60)]
    retry_spot_after_s: Annotated[int, Field(ge=60)]
    launch_reserve_s: Annotated[int, Field(ge=0)]
    move_least_s: Annotated[int, Field(ge=0)]
    warm_windows: tuple[WarmWindow, ...]


class InstanceType(_Settings):
    """`on_demand_usd_per_hour` is AWS's list price: what an instance counts with where its Spot price is not known."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.[a-z0-9]+$")]
    vcpus: Annotated[int, Field(ge=1)]
    on_demand_usd_per_hour: Annotated[float, Field(ge=0)]


class OnDemandSettings(_Settings):
    """The group that stands in for Spot; `max_instances` 0 leaves it out. `types` are of the fleet's `instance_types`,
    in the order of preference."""

    max_instances: Annotated[int, Field(ge=0)]
    vcpu_quota: Annotated[int, Field(ge=0)]
    types: tuple[str, ...]


class ImageSettings(_Settings):
    """An own machine image, with the agent installed and `models`' weights on it, so that boots are short.

    `build` has the pipeline made, which bakes on `schedule` (cron, UTC) wherever AWS's base image is newer, and writes
    the image's id to an SSM parameter; `use` has instances launch from that. First build, then use: until a first image
    is baked there is nothing to launch."""

    build: bool
    use: bool
    schedule: Annotated[str, Field(pattern=r"^cron\(.+\)$")]
    models: tuple[str, ...]
    volume_gib: Annotated[int, Field(ge=50)]
    instance_type: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.[a-z0-9]+$")]

    @model_validator(mode="after")
    def _is_built(self) -> "ImageSettings":
        if self.use and not self.build:
            raise ValueError("image.use without image.build: nothing would bake the image")
        return self


class FleetSettings(_Settings):
    """The GPU fleet: a Spot group, and an on-demand group for when Spot is short. `max_instances` is for both together,
    `vcpu_quota` Spot's (L-3819A6DF), `on_demand.vcpu_quota` the other (L-DB2E81BA).

    `offered_types` are the types that requests are checked against, where these are not `instance_types`: the local
    fleet is whatever machine it runs on.

    `tier` is what requests run at that name none: `exact`, or `fast` with quantised weights.

    `isolated_network` puts the instances into subnets without a route out, with interface endpoints for what they
    need; these cost by the hour even when no instance runs, and so are off: the instances then have a public
    address, a way out, and no inbound port.

    `refresh_on_deploy` replaces running instances when a deploy changes what they boot from: their agents drain, and
    the jobs go on elsewhere from the step under way.
    """

    instance_types: Annotated[tuple[InstanceType, ...], Field(min_length=1)]
    offered_types: tuple[str, ...]
    vcpu_quota: Annotated[int, Field(ge=1)]
    max_instances: Annotated[int, Field(ge=1)]
    on_demand: OnDemandSettings
    max_usd_per_hour: Annotated[float, Field(gt=0)]
    max_usd_per_month: Annotated[float, Field(gt=0)]
    latency_target_s: Annotated[int, Field(ge=60)]
    idle_limit_s: Annotated[int, Field(ge=1)]
    tier: Literal["exact", "fast"]
    root_volume_gib: Annotated[int, Field(ge=50)]
    image_parameter: Annotated[str, Field(pattern=r"^/aws/service/")]
    agent_version: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    isolated_network: bool
    flow_logs: bool
    suspend_az_rebalance: bool
    refresh_on_deploy: bool
    image: ImageSettings

    @property
    def placement_types(self) -> tuple[str, ...]:
        return self.offered_types or tuple(kind.name for kind in self.instance_types)

    @model_validator(mode="after")
    def _within_quota(self) -> "FleetSettings":
        largest = max(kind.vcpus for kind in self.instance_types)
        if self.max_instances * largest > self.vcpu_quota:
            raise ValueError(
                f"max_instances={self.max_instances} of {largest} vCPUs each exceed vcpu_quota={self.vcpu_quota}; "
                "the group would fail to launch in silence"
            )
        return self

    @model_validator(mode="after")
    def _on_demand_of_the_fleet(self) -> "FleetSettings":
        vcpus = {kind.name: kind.vcpus for kind in self.instance_types}
        strangers = sorted(set(self.on_demand.types) - vcpus.keys())
        if strangers:
            raise ValueError(f"on_demand.types {strangers} are not among instance_types")
        wanted = self.on_demand.max_instances * max((vcpus[kind] for kind in self.on_demand.types), default=0)
        if wanted > self.on_demand.vcpu_quota or (self.on_demand.max_instances and not self.on_demand.types):
            raise ValueError(
                f"on_demand.max_instances={self.on_demand.max_instances} of {list(self.on_demand.types)} "
                f"need {wanted} vCPUs of on_demand.vcpu_quota={self.on_demand.vcpu_quota}"
            )
        return self


class StackSettings(_Settings):
    """The whole of it. `console`: CloudFront serves the console and the API, under `domain`; locally the front door
    does."""

    stage: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    stack_name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")]
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,20}$")]
    event_bus_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    availability_zones: Annotated[tuple[str, ...], Field(min_length=1)]
    alarm_email: str
    default_model: Annotated[str, Field(min_length=1)]
    acknowledged_licences: tuple[str, ...]
    data: DataSettings
    queues: QueueSettings
    functions: FunctionSettings
    api: ApiSettings
    console: bool
    domain: DomainSettings
    events: EventSettings
    scaling: ScalingSettings
    fleet: FleetSettings

    @model_validator(mode="after")
    def _loopback_is_trusted_locally_alone(self) -> "StackSettings":
        """On one's own machine loopback is where a receiver under test listens. In a function it is the function."""
        local = self.stage == LOCAL_STAGE
        for network in self.api.trusted_networks:
            if network.is_link_local or (network.is_loopback and not local) or network.prefixlen == 0:
                raise ValueError(
                    f"api.trusted_networks: {network} cannot be trusted at stage {self.stage!r}; name the networks of "
                    "your own receivers"
                )
        return self

    @model_validator(mode="after")
    def _zones_in_region(self) -> "StackSettings":
        strangers = [zone for zone in self.availability_zones if not zone.startswith(self.region)]
        if strangers:
            raise ValueError(f"availability_zones {strangers} are not in region {self.region}")
        return self


def load_settings(context: Mapping[str, Any], profile: str | None = None) -> StackSettings:
    """Settings from cdk.json's `context`, with `settings:<profile>` laid over `settings` where a profile is named.

    Raises KeyError for a profile that cdk.json does not have, pydantic.ValidationError for values that cannot be.
    """
    values: Mapping[str, Any] = context["settings"]
    if profile is not None:
        values = _overlay(values, context[f"settings:{profile}"])
    return StackSettings.model_validate(values)


def _overlay(base: Mapping[str, Any], differences: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in differences.items():
        inner = merged.get(key)
        merged[key] = _overlay(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged
