"""What a template cannot say of an Auto Scaling group, only a call can: made by a small function during the deploy."""

from collections.abc import Sequence

from aws_cdk import Names
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import custom_resources as custom
from constructs import Construct

from cdk.log_groups import log_group
from cdk.nag import accept_wildcard

# Half of the instances at a time, and none before another has gone: the quota may have no room for one more. Instances
# that are protected from scale-in are replaced, too: each waits in the drain hook until its agent has saved its work.
_PREFERENCES = {
    "MinHealthyPercentage": 50,
    "MaxHealthyPercentage": 100,
    "InstanceWarmup": 300,
    "SkipMatching": True,
    "ScaleInProtectedInstances": "Refresh",
}


class GroupCalls(Construct):
    """AZRebalance, which ends running instances to even out the zones, is suspended; and when a deploy has changed what
    instances boot from, those that run are replaced, each after its agent has drained."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        groups: Sequence[autoscaling.AutoScalingGroup],
        group_arns: list[str],
        template: ec2.LaunchTemplate,
        suspend_az_rebalance: bool,
        refresh_on_deploy: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        if not (suspend_az_rebalance or refresh_on_deploy):
            return
        self._logs = log_group(self, "Logs", name=f"/aws/lambda/{Names.unique_id(self)}", retention_days=30)
        self._role = self._make_role(group_arns)
        for group in groups:
            if suspend_az_rebalance:
                self._call(f"SuspendAzRebalance{group.node.id}", _suspension(group))
            if refresh_on_deploy:
                # A new group has nothing to replace: the suspension, once more, does no harm.
                self._call(f"Refresh{group.node.id}", _refresh(group, template), on_create=_suspension(group))

    def _make_role(self, group_arns: list[str]) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        for actions, resources in (
            (["autoscaling:SuspendProcesses", "autoscaling:StartInstanceRefresh"], group_arns),
            (["logs:CreateLogStream", "logs:PutLogEvents"], [self._logs.log_group_arn]),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
        for arn in group_arns:
            accept_wildcard(role, arn, "Only the group's unique id is a wildcard; its name is fixed.")
        return role

    def _call(
        self, construct_id: str, on_update: custom.AwsSdkCall, *, on_create: custom.AwsSdkCall | None = None
    ) -> None:
        custom.AwsCustomResource(
            self,
            construct_id,
            on_create=on_create or on_update,
            on_update=on_update,
            install_latest_aws_sdk=False,
            role=self._role,
            log_group=self._logs,
        ).node.add_dependency(self._role)


def _suspension(group: autoscaling.AutoScalingGroup) -> custom.AwsSdkCall:
    return custom.AwsSdkCall(
        service="AutoScaling",
        action="suspendProcesses",
        parameters={"AutoScalingGroupName": group.auto_scaling_group_name, "ScalingProcesses": ["AZRebalance"]},
        physical_resource_id=custom.PhysicalResourceId.of(f"{group.node.id}-az-rebalance"),
    )


def _refresh(group: autoscaling.AutoScalingGroup, template: ec2.LaunchTemplate) -> custom.AwsSdkCall:
    """Made when the template has a new version, by which the group stands once it is updated: before this call."""
    return custom.AwsSdkCall(
        service="AutoScaling",
        action="startInstanceRefresh",
        parameters={"AutoScalingGroupName": group.auto_scaling_group_name, "Preferences": _PREFERENCES},
        physical_resource_id=custom.PhysicalResourceId.of(f"{group.node.id}-{template.latest_version_number}"),
        # One that is under way goes on, and a deploy must not fail for it; the next deploy's replaces what it left.
        ignore_error_codes_matching="InstanceRefreshInProgress",
    )
