"""The deployment after a deploy: stack, weights, API, and a launch that is only tried."""

from collections.abc import Mapping
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from cli.doctor.account import Clients
from cli.doctor.finding import Finding, failure, ok, warning
from cli.doctor.wanted import Wanted
from models import catalog

GIB = 2**30
WHOLE = 0.98  # of the catalog's size: repositories differ in small files
TIMEOUT_S = 20.0


def stack(clients: Clients, wanted: Wanted) -> tuple[Finding, Mapping[str, str]]:
    """Whether the stack stands, and its outputs."""
    try:
        found = clients("cloudformation").describe_stacks(StackName=wanted.stack_name)["Stacks"][0]
    except ClientError as error:
        words = error.response["Error"]["Message"]
        return warning("stack", words, "`make deploy`; until then the checks of the deployment are left out"), {}
    state, outputs = found["StackStatus"], {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    if state in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}:
        return ok("stack", f"{wanted.stack_name} is {state}"), outputs
    return failure("stack", f"{wanted.stack_name} is {state}", "read the stack's events, then deploy again"), outputs


def weights(clients: Clients, bucket: str, model_id: str) -> Finding:
    """Whether the default model's weights lie in the bucket, as large as the catalog says."""
    spec, check = catalog.get(model_id), f"weights of {model_id}"
    pull = f"revalida weights pull {model_id}"
    if spec.embedded:
        return ok(check, "shipped with the code")
    pages = clients("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"weights/{model_id}/")
    try:
        gib = sum(item["Size"] for page in pages for item in page.get("Contents", [])) / GIB
    except (BotoCoreError, ClientError) as error:
        return failure(check, str(error), "allow s3:ListBucket on the media bucket")
    if not gib:
        return failure(check, f"nothing below s3://{bucket}/weights/{model_id}/", pull)
    if gib < WHOLE * spec.weights.gib:
        return failure(check, f"{gib:.1f} GiB of {spec.weights.gib:.1f}: not whole", pull)
    return ok(check, f"{gib:.1f} GiB")


def api(base: str, http: httpx.Client) -> Finding:
    """Whether the API answers. Its description needs no key."""
    url = f"{base.rstrip('/')}/v1/openapi.json"
    try:
        status = http.get(url, timeout=TIMEOUT_S).status_code
    except httpx.HTTPError as error:
        return failure("API", f"{url}: {error}", "check the address, and the api function's log group")
    if status == httpx.codes.OK:
        return ok("API", f"{url} answers")
    return failure("API", f"{url} answers {status}", "runbook, `PREFIX-api-errors`")


def launch(clients: Clients, group: str) -> Finding:
    """A launch that EC2 checks and does not make: permissions, image, template."""
    try:
        template, subnet = _template(clients, group)
        clients("ec2").run_instances(LaunchTemplate=template, SubnetId=subnet, MinCount=1, MaxCount=1, DryRun=True)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "DryRunOperation":
            return ok("dry-run launch", "would have succeeded")
        words = f"{code}: {error.response['Error']['Message']}"
        return failure("dry-run launch", words, "mend the launch template, or your own right to ec2:RunInstances")
    except LookupError as error:
        return failure("dry-run launch", str(error), "`make deploy`")
    return warning("dry-run launch", "AWS did not say that it was a trial", "look for a stray instance")


def _template(clients: Clients, group: str) -> tuple[dict[str, Any], str]:
    found = clients("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    if not found:
        raise LookupError(f"no Auto Scaling group {group}")
    own = found[0]["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]
    template = {"LaunchTemplateId": own["LaunchTemplateId"], "Version": own.get("Version", "$Latest")}
    return template, found[0]["VPCZoneIdentifier"].split(",")[0]
