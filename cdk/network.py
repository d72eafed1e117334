"""The fleet's network: no NAT, no inbound port, and S3 and DynamoDB by gateway endpoints, which cost nothing."""

from collections.abc import Mapping

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from cdk.log_groups import log_group
from cdk.nag import acknowledge

# What an isolated instance calls beside S3 and DynamoDB; no gateway endpoint exists for these.
_INTERFACE_SERVICES = {
    "Sqs": ec2.InterfaceVpcEndpointAwsService.SQS,
    "Ec2": ec2.InterfaceVpcEndpointAwsService.EC2,
    "AutoScaling": ec2.InterfaceVpcEndpointAwsService.AUTOSCALING,
    "Ssm": ec2.InterfaceVpcEndpointAwsService.SSM,
    "SsmMessages": ec2.InterfaceVpcEndpointAwsService.SSM_MESSAGES,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "Monitoring": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_MONITORING,
}

# And what the one calls that bakes an image.
_BAKING_SERVICES = {
    "ImageBuilder": ec2.InterfaceVpcEndpointAwsService.IMAGE_BUILDER,
    "Ec2Messages": ec2.InterfaceVpcEndpointAwsService.EC2_MESSAGES,
}


class Network(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        availability_zones: tuple[str, ...],
        isolated: bool,
        bakes_images: bool,
        flow_logs: bool,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, construct_id)
        kind = ec2.SubnetType.PRIVATE_ISOLATED if isolated else ec2.SubnetType.PUBLIC
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            availability_zones=list(availability_zones),
            nat_gateways=0,
            subnet_configuration=[ec2.SubnetConfiguration(name="fleet", subnet_type=kind, cidr_mask=22)],
        )
        self.subnets = ec2.SubnetSelection(subnet_type=kind)
        self.security_group = ec2.SecurityGroup(
            self,
            "Instances",
            vpc=self.vpc,
            description="GPU instances: HTTPS out, nothing in",
            allow_all_outbound=False,
        )
        self.security_group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "AWS APIs")
        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        self.vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        if isolated:
            self._interface_endpoints(_INTERFACE_SERVICES | (_BAKING_SERVICES if bakes_images else {}))
        self._log_flows(prefix, flow_logs, log_retention_days)

    def _interface_endpoints(self, services: Mapping[str, ec2.InterfaceVpcEndpointAwsService]) -> None:
        endpoints = ec2.SecurityGroup(
            self,
            "Endpoints",
            vpc=self.vpc,
            description="Interface endpoints: HTTPS from the instances",
            allow_all_outbound=False,
        )
        endpoints.add_ingress_rule(self.security_group, ec2.Port.tcp(443), "AWS APIs")
        for name, service in services.items():
            self.vpc.add_interface_endpoint(
                name, service=service, subnets=self.subnets, security_groups=[endpoints], open=False
            )

    def _log_flows(self, prefix: str, enabled: bool, retention_days: int) -> None:
        if not enabled:
            acknowledge(self.vpc, "AwsSolutions-VPC7", "Flow logs are off by the setting fleet.flow_logs.")
            return
        logs = log_group(self, "FlowLogs", name=f"/aws/vpc/{prefix}", retention_days=retention_days)
        self.vpc.add_flow_log(
            "RejectedTraffic",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(logs),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )
