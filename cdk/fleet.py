"""The GPU fleet: a launch template, and Auto Scaling groups that start at zero and are sized by the planner alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Duration
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk.functions import account_arn
from cdk.group_calls import GroupCalls
from cdk.log_groups import log_group
from cdk.nag import acknowledge
from cdk.network import Network
from cdk.settings import FleetSettings

DRAIN_HOOK = "drain"
# As a Spot notice: what an agent cannot save within it is left to its last checkpoint.
_DRAIN_LIMIT = Duration.minutes(2)
_BOOT_SCRIPT = Path(__file__).parent / "boot" / "boot.sh"


@dataclass(frozen=True, kw_only=True)
class Market:
    """What one of the fleet's groups has of its own. `name` is empty where there is no such group."""

    construct_id: str
    name: str
    types: tuple[str, ...]
    max_instances: int
    on_demand_percent: int


class Fleet(Construct):
    """The Spot group, and the on-demand group that stands in for it; both launch from one template."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        group_name: str,
        network: Network,
        environment: Mapping[str, str],
        alerts: sns.ITopic,
        settings: FleetSettings,
        log_retention_days: int,
        image_parameter: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.group_name = group_name
        # Of the agents, and of their metrics, which are lines of it; an instance's own disk goes with the instance.
        self.logs = log_group(self, "Logs", name=f"/ec2/{group_name}", retention_days=log_retention_days)
        self.on_demand_name = f"{group_name}-on-demand" if settings.on_demand.max_instances else ""
        self._image_parameter = image_parameter or settings.image_parameter
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        template = self._template(network, {**environment, "REVALIDA_LOG_GROUP": f"/ec2/{group_name}"}, settings)
        self._groups(network, template, alerts, settings)
        GroupCalls(
            self,
            "Calls",
            groups=self.groups,
            group_arns=self.group_arns,
            template=template,
            suspend_az_rebalance=settings.suspend_az_rebalance,
            refresh_on_deploy=settings.refresh_on_deploy,
        )

    @property
    def group_arns(self) -> list[str]:
        """The groups' ARNs; their unique id is a `*`, for only Auto Scaling knows it before the group exists."""
        names = [name for name in (self.group_name, self.on_demand_name) if name]
        return [account_arn(self, "autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}") for name in names]

    def _groups(
        self, network: Network, template: ec2.LaunchTemplate, alerts: sns.ITopic, settings: FleetSettings
    ) -> None:
        spot = Market(
            construct_id="Group",
            name=self.group_name,
            types=tuple(kind.name for kind in settings.instance_types),
            max_instances=settings.max_instances,
            on_demand_percent=0,
        )
        on_demand = Market(
            construct_id="OnDemandGroup",
            name=self.on_demand_name,
            types=settings.on_demand.types,
            max_instances=settings.on_demand.max_instances,
            on_demand_percent=100,
        )
        self.groups = [self._group(market, network, template, alerts) for market in (spot, on_demand) if market.name]

    def _template(
        self, network: Network, environment: Mapping[str, str], settings: FleetSettings
    ) -> ec2.LaunchTemplate:
        # EC2 launches nothing whose volume is smaller than its image's.
        baked_gib = settings.image.volume_gib if settings.image.use else 0
        volume = ec2.BlockDeviceVolume.ebs(
            max(settings.root_volume_gib, baked_gib),
            encrypted=True,
            volume_type=ec2.EbsDeviceVolumeType.GP3,
            delete_on_termination=True,
        )
        return ec2.LaunchTemplate(
            self,
            "Template",
            machine_image=ec2.MachineImage.resolve_ssm_parameter_at_launch(self._image_parameter),
            instance_type=ec2.InstanceType(settings.instance_types[0].name),
            role=self.role,
            security_group=network.security_group,
            associate_public_ip_address=None if settings.isolated_network else True,
            user_data=ec2.UserData.custom(boot_script(environment)),
            require_imdsv2=True,
            http_tokens=ec2.LaunchTemplateHttpTokens.REQUIRED,
            http_put_response_hop_limit=1,
            instance_metadata_tags=False,
            block_devices=[ec2.BlockDevice(device_name="/dev/sda1", volume=volume)],
        )

    def _group(
        self, market: Market, network: Network, template: ec2.LaunchTemplate, alerts: sns.ITopic
    ) -> autoscaling.AutoScalingGroup:
        group = autoscaling.AutoScalingGroup(
            self,
            market.construct_id,
            auto_scaling_group_name=market.name,
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            # No desired capacity: a deploy must not undo what the planner decided.
            min_capacity=0,
            max_capacity=market.max_instances,
            mixed_instances_policy=autoscaling.MixedInstancesPolicy(
                launch_template=template,
                launch_template_overrides=[
                    autoscaling.LaunchTemplateOverrides(instance_type=ec2.InstanceType(name)) for name in market.types
                ],
                instances_distribution=autoscaling.InstancesDistribution(
                    on_demand_base_capacity=0,
                    on_demand_percentage_above_base_capacity=market.on_demand_percent,
                    on_demand_allocation_strategy=autoscaling.OnDemandAllocationStrategy.PRIORITIZED,
                    spot_allocation_strategy=autoscaling.SpotAllocationStrategy.PRICE_CAPACITY_OPTIMIZED,
                ),
            ),
            new_instances_protected_from_scale_in=True,
            capacity_rebalance=True,
            default_instance_warmup=Duration.minutes(5),
            notifications=[
                autoscaling.NotificationConfiguration(topic=alerts, scaling_events=autoscaling.ScalingEvents.ERRORS)
            ],
        )
        group.add_lifecycle_hook(
            "Drain",
            lifecycle_hook_name=DRAIN_HOOK,
            lifecycle_transition=autoscaling.LifecycleTransition.INSTANCE_TERMINATING,
            heartbeat_timeout=_DRAIN_LIMIT,
            default_result=autoscaling.DefaultResult.CONTINUE,
        )
        _acknowledge_group(group)
        return group


def _acknowledge_group(group: autoscaling.AutoScalingGroup) -> None:
    acknowledge(
        group,
        "AwsSolutions-EC26",
        "The rule cannot read a launch template inside a mixed instances policy; its volumes are encrypted, which "
        "the template tests assert.",
    )
    acknowledge(
        group,
        "AwsSolutions-AS3",
        "The group launches and ends instances all day, by design: only errors are worth a notification.",
    )


def boot_script(environment: Mapping[str, str]) -> str:
    """User data: writes the agent's environment file, then runs cdk/boot/boot.sh as it is."""
    # Single quotes: both bash and systemd read them, and a JSON list must reach the agent as it is.
    lines = "\n".join(f"{name}='{value}'" for name, value in sorted(environment.items()))
    header = f"#!/usr/bin/env bash\ncat > /etc/revalida-agent.env <<'ENVIRONMENT'\n{lines}\nENVIRONMENT\n"
    return header + _BOOT_SCRIPT.read_text(encoding="utf-8")
