"""The account before a deploy: who we are, where, how much we may have, and whether CDK has been there."""

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.doctor.finding import Finding, failure, ok, warning
from cli.doctor.wanted import Wanted

Clients = Callable[[str], Any]
SPOT_QUOTA = "L-3819A6DF"  # All G and VT Spot Instance Requests, in vCPUs
ON_DEMAND_QUOTA = "L-DB2E81BA"  # Running On-Demand G and VT instances, in vCPUs
BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"  # docs.aws.amazon.com/cdk: the default qualifier
LEAST_BOOTSTRAP = 6  # the rule CheckBootstrapVersion of the synthesised template


def credentials(clients: Clients) -> Finding:
    """Whether AWS knows us at all; without that no other check of the account means anything."""
    try:
        who = clients("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return failure("credentials", _said(error), "run `aws configure sso` or export AWS_PROFILE, then try again")
    return ok("credentials", f"{who['Arn']} in account {who['Account']}")


def region(clients: Clients, wanted: Wanted) -> Finding:
    """Whether the commands go where the stack goes."""
    at = clients("sts").meta.region_name
    if at == wanted.region:
        return ok("region", at)
    return warning("region", f"{at}, the settings say {wanted.region}", f"export AWS_DEFAULT_REGION={wanted.region}")


def quotas(clients: Clients, wanted: Wanted) -> Iterator[Finding]:
    """Both vCPU quotas against what the settings may launch: a short one makes the groups fail in silence."""
    yield _quota(clients, SPOT_QUOTA, "Spot quota", wanted.spot_vcpus, wanted.region)
    if wanted.on_demand_vcpus:
        yield _quota(clients, ON_DEMAND_QUOTA, "on-demand quota", wanted.on_demand_vcpus, wanted.region)


def bootstrap(clients: Clients, wanted: Wanted) -> Finding:
    """Whether `cdk bootstrap` has prepared the region."""
    try:
        version = int(clients("ssm").get_parameter(Name=BOOTSTRAP)["Parameter"]["Value"])
    except (BotoCoreError, ClientError) as error:
        return failure("CDK bootstrap", _said(error), f"npx cdk bootstrap aws://ACCOUNT/{wanted.region}")
    if version < LEAST_BOOTSTRAP:
        return warning("CDK bootstrap", f"version {version}", f"npx cdk bootstrap aws://ACCOUNT/{wanted.region}")
    return ok("CDK bootstrap", f"version {version}")


def _quota(clients: Clients, code: str, name: str, vcpus: int, at: str) -> Finding:
    check = f"{name} {code}"
    try:
        granted = clients("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"]
    except (BotoCoreError, ClientError) as error:
        return warning(check, _said(error), "allow servicequotas:GetServiceQuota, or look in the console")
    if granted >= vcpus:
        return ok(check, f"{granted:.0f} vCPUs, the settings use {vcpus}")
    request = (
        f"aws service-quotas request-service-quota-increase --region {at} --service-code ec2 "
        f"--quota-code {code} --desired-value {vcpus}"
    )
    return failure(check, f"{granted:.0f} vCPUs, the settings use {vcpus}", request)


def _said(error: BotoCoreError | ClientError) -> str:
    """AWS's words, without botocore's preamble."""
    if isinstance(error, ClientError):
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return str(error)
