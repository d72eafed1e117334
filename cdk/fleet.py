"""The GPU fleet: a launch template and an Auto Scaling group that starts at zero and is sized by the planner alone."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Duration
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import custom_resources as custom
from constructs import Construct

from cdk.functions import account_arn
from cdk.log_groups import log_group
from cdk.nag import accept_wildcard, acknowledge
from cdk.network import Network
from cdk.settings import FleetSettings

_BOOT_SCRIPT = Path(__file__).parent / "boot" / "boot.sh"


class Fleet(Construct):
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
    ) -> None:
        super().__init__(scope, construct_id)
        self.group_name = group_name
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        self.group = self._group(network, self._template(network, environment, settings), alerts, settings)
        _acknowledge_group(self.group)
        if settings.suspend_az_rebalance:
            self._suspend_az_rebalance()

    @property
    def group_arn(self) -> str:
        """The group's ARN; its unique id is a `*`, for only Auto Scaling knows it before the group exists."""
        return account_arn(self, "autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{self.group_name}")

    def _template(
        self, network: Network, environment: Mapping[str, str], settings: FleetSettings
    ) -> ec2.LaunchTemplate:
        volume = ec2.BlockDeviceVolume.ebs(
            settings.root_volume_gib,
            encrypted=True,
            volume_type=ec2.EbsDeviceVolumeType.GP3,
            delete_on_termination=True,
        )
        return ec2.LaunchTemplate(
            self,
            "Template",
            machine_image=ec2.MachineImage.resolve_ssm_parameter_at_launch(settings.image_parameter),
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
        self, network: Network, template: ec2.LaunchTemplate, alerts: sns.ITopic, settings: FleetSettings
    ) -> autoscaling.AutoScalingGroup:
        return autoscaling.AutoScalingGroup(
            self,
            "Group",
            auto_scaling_group_name=self.group_name,
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            # No desired capacity: a deploy must not undo what the planner decided.
            min_capacity=0,
            max_capacity=settings.max_instances,
            mixed_instances_policy=autoscaling.MixedInstancesPolicy(
                launch_template=template,
                launch_template_overrides=[
                    autoscaling.LaunchTemplateOverrides(instance_type=ec2.InstanceType(kind.name))
                    for kind in settings.instance_types
                ],
                instances_distribution=autoscaling.InstancesDistribution(
                    on_demand_base_capacity=settings.on_demand_base,
                    on_demand_percentage_above_base_capacity=settings.on_demand_percent_above_base,
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

    def _suspend_az_rebalance(self) -> None:
        """AZRebalance ends running instances to even out the zones. A template cannot suspend it, only a call can."""
        call = custom.AwsSdkCall(
            service="AutoScaling",
            action="suspendProcesses",
            parameters={
                "AutoScalingGroupName": self.group.auto_scaling_group_name,
                "ScalingProcesses": ["AZRebalance"],
            },
            physical_resource_id=custom.PhysicalResourceId.of(f"{self.group_name}-az-rebalance"),
        )
        logs = log_group(
            self, "SuspendAzRebalanceLogs", name=f"/aws/lambda/{self.group_name}-az-rebalance", retention_days=30
        )
        role = iam.Role(self, "SuspendAzRebalanceRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        for actions, resource in (
            (["autoscaling:SuspendProcesses"], self.group_arn),
            (["logs:CreateLogStream", "logs:PutLogEvents"], logs.log_group_arn),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
        accept_wildcard(role, self.group_arn, "Only the group's unique id is a wildcard; its name is fixed.")
        custom.AwsCustomResource(
            self,
            "SuspendAzRebalance",
            on_update=call,
            install_latest_aws_sdk=False,
            role=role,
            log_group=logs,
        ).node.add_dependency(role)


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
