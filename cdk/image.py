"""An own machine image (EC2 Image Builder): AWS's base image with the agent installed, and weights on it.

It is baked by the very functions of cdk/boot/boot.sh that instances boot with, from the same artifacts in the bucket.
"""

import hashlib
import json
from pathlib import Path

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_imagebuilder as imagebuilder
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk.functions import account_arn
from cdk.nag import accept_wildcard
from cdk.network import Network
from cdk.settings import FleetSettings
from cdk.storage import Storage
from models.catalog import get

_BOOT_SCRIPT = Path(__file__).parent / "boot" / "boot.sh"
_KEYS_REASON = "Objects have keys that are made at run time; the prefix is fixed."


def parameter_name(prefix: str) -> str:
    """Where the newest image's id stands. Image Builder may write below `/imagebuilder/` alone."""
    return f"/imagebuilder/{prefix}/agent-image"


class AgentImage(Construct):
    """The pipeline. A change of what it bakes gets recipe and component a new name: neither can be changed."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        network: Network,
        storage: Storage,
        alerts: sns.ITopic,
        settings: FleetSettings,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        commands = bake_commands(settings, storage.media.bucket_name)
        made_of = json.dumps([bake_commands(settings, "bucket"), settings.model_dump(mode="json")], sort_keys=True)
        self._name = f"{prefix}-agent-{hashlib.sha256(made_of.encode()).hexdigest()[:8]}"
        self._prefix = prefix
        imagebuilder.CfnImagePipeline(
            self,
            "Pipeline",
            name=f"{prefix}-agent",
            image_recipe_arn=self._recipe(self._component(commands)).attr_arn,
            infrastructure_configuration_arn=self._infrastructure(network, self._role(storage), alerts).attr_arn,
            distribution_configuration_arn=self._distribution().attr_arn,
            schedule=imagebuilder.CfnImagePipeline.ScheduleProperty(
                schedule_expression=settings.image.schedule,
                pipeline_execution_start_condition="EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE",
            ),
        )

    def _component(self, commands: list[str]) -> imagebuilder.CfnComponent:
        step = {"name": "Bake", "action": "ExecuteBash", "inputs": {"commands": commands}}
        document = {"schemaVersion": 1.0, "phases": [{"name": "build", "steps": [step]}]}
        data = Stack.of(self).to_json_string(document)
        return imagebuilder.CfnComponent(
            self, "Component", name=self._name, version="1.0.0", platform="Linux", data=data
        )

    def _recipe(self, component: imagebuilder.CfnComponent) -> imagebuilder.CfnImageRecipe:
        recipe = imagebuilder.CfnImageRecipe
        return recipe(
            self,
            "Recipe",
            name=self._name,
            version="1.0.0",
            parent_image=f"ssm:{self._settings.image_parameter}",
            components=[recipe.ComponentConfigurationProperty(component_arn=component.attr_arn)],
            block_device_mappings=[
                recipe.InstanceBlockDeviceMappingProperty(
                    device_name="/dev/sda1",
                    ebs=recipe.EbsInstanceBlockDeviceSpecificationProperty(
                        volume_size=self._settings.image.volume_gib, volume_type="gp3", encrypted=True
                    ),
                )
            ],
        )

    def _infrastructure(
        self, network: Network, role: iam.Role, alerts: sns.ITopic
    ) -> imagebuilder.CfnInfrastructureConfiguration:
        profile = iam.CfnInstanceProfile(self, "Profile", roles=[role.role_name])
        return imagebuilder.CfnInfrastructureConfiguration(
            self,
            "Infrastructure",
            name=f"{self._prefix}-agent",
            instance_profile_name=profile.ref,
            instance_types=[self._settings.image.instance_type],
            subnet_id=network.vpc.select_subnets(subnet_type=network.subnets.subnet_type).subnet_ids[0],
            security_group_ids=[network.security_group.security_group_id],
            sns_topic_arn=alerts.topic_arn,
            terminate_instance_on_failure=True,
            instance_metadata_options=imagebuilder.CfnInfrastructureConfiguration.InstanceMetadataOptionsProperty(
                http_tokens="required", http_put_response_hop_limit=1
            ),
        )

    def _distribution(self) -> imagebuilder.CfnDistributionConfiguration:
        distribution = imagebuilder.CfnDistributionConfiguration
        return distribution(
            self,
            "Distribution",
            name=f"{self._prefix}-agent",
            distributions=[
                distribution.DistributionProperty(
                    region=Stack.of(self).region,
                    ami_distribution_configuration={"Name": f"{self._prefix}-agent-{{{{ imagebuilder:buildDate }}}}"},
                    ssm_parameter_configurations=[
                        distribution.SsmParameterConfigurationProperty(
                            parameter_name=parameter_name(self._prefix), data_type="aws:ec2:image"
                        )
                    ],
                )
            ],
        )

    def _role(self, storage: Storage) -> iam.Role:
        """What the instance that bakes may do: be led by Image Builder through SSM, and read what it bakes."""
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        artifacts = [storage.media.arn_for_objects(pattern) for pattern in ("agent/*", "weights/*")]
        components = account_arn(self, "imagebuilder", f"component/{self._name}/*")
        logs = account_arn(self, "logs", "log-group:/aws/imagebuilder/*")
        for actions, resources in (
            (["s3:GetObject"], [*artifacts, "arn:aws:s3:::ec2imagebuilder*"]),
            (["s3:ListBucket"], [storage.media.bucket_arn]),
            (["imagebuilder:GetComponent"], [components]),
            (["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], [logs]),
            (
                [
                    "ssm:UpdateInstanceInformation",
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                    "ec2messages:GetMessages",
                    "ec2messages:AcknowledgeMessage",
                    "ec2messages:SendReply",
                ],
                ["*"],
            ),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
        for resource, reason in (
            *((arn, _KEYS_REASON) for arn in artifacts),
            ("arn:aws:s3:::ec2imagebuilder*", "AWS's own buckets with Image Builder's programs."),
            (components, "A component's versions and builds."),
            (logs, "Image Builder names its log groups itself."),
            ("*", "SSM's channels know no resources."),
        ):
            accept_wildcard(role, resource, reason)
        return role


def bake_commands(settings: FleetSettings, bucket: str) -> list[str]:
    """The boot script as it is, then its function that bakes."""
    models = " ".join(get(model).id for model in settings.image.models)
    script = _BOOT_SCRIPT.read_text(encoding="utf-8")
    return [
        "set -e",  # the step's exit code is its last command's: a bake that failed would be published
        f"cat > /tmp/revalida-boot.sh <<'SCRIPT'\n{script}\nSCRIPT",
        f"bash -c 'source /tmp/revalida-boot.sh; bake {settings.agent_version} {bucket} {models}'",
        "rm /tmp/revalida-boot.sh",
    ]
