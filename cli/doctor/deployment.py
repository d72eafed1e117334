"""The deployment after a deploy: stack, weights, API, and a launch that is only tried."""

from collections.abc import Mapping
from typing import Any

import httpx
from botocore.exceptions import ClientError

from cli.doctor.account import Clients
from cli.doctor.finding import Finding, failure, ok, warning
from cli.doctor.wanted import Wanted
from jobs import s3_keys
from models import catalog
from models.interface import ModelError

GIB = 2**30
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
    """Whether the default model's weights lie in the bucket, each file as large as their manifest says."""
    from models.weights.bucket import WeightsBucket
    from models.weights.errors import WeightsUnavailable

    spec, check = catalog.get(model_id), f"weights of {model_id}"
    pull = f"revalida weights pull {model_id}"
    if spec.embedded:
        return ok(check, "shipped with the code")
    store = WeightsBucket(clients("s3"), bucket, root=s3_keys.WEIGHTS)
    try:
        whole = store.stored(model_id)
        if not whole:
            return failure(check, f"no whole set below s3://{bucket}/{s3_keys.WEIGHTS}{model_id}/", pull)
        manifest = store.manifest(model_id, whole[-1].revision)
        wrong = [file.path for file in manifest.files if not store.has(model_id, manifest.revision, file)]
    except WeightsUnavailable as error:
        return failure(check, str(error), "allow s3:ListBucket and s3:GetObject on the media bucket")
    except ModelError as error:
        return failure(check, str(error), pull)
    if wrong:
        return failure(check, f"{len(wrong)} of {len(manifest.files)} files not whole, the first: {wrong[0]}", pull)
    return ok(check, f"revision {manifest.revision}, {len(manifest.files)} files, {manifest.bytes / GIB:.1f} GiB")


def api(base: str, http: httpx.Client) -> Finding:
    """Whether the API answers. Its description needs no key."""
    return _answers("API", f"{base.rstrip('/')}/v1/openapi.json", http, "runbook, `PREFIX-api-errors`")


def console(base: str, http: httpx.Client) -> Finding:
    """Whether CloudFront has the console's pages, and whether its name leads there."""
    return _answers("console", f"{base}/", http, "`make deploy-console`; a domain of your own needs its DNS record")


def _answers(check: str, url: str, http: httpx.Client, next_step: str) -> Finding:
    try:
        status = http.get(url, timeout=TIMEOUT_S).status_code
    except httpx.HTTPError as error:
        return failure(check, f"{url}: {error}", next_step)
    return (
        ok(check, f"{url} answers")
        if status == httpx.codes.OK
        else failure(check, f"{url} answers {status}", next_step)
    )


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
    own = found[0].get("MixedInstancesPolicy", {}).get("LaunchTemplate", {}).get("LaunchTemplateSpecification")
    if own is None:
        raise LookupError(f"{group} shows no launch template")
    template = {"LaunchTemplateId": own["LaunchTemplateId"], "Version": own.get("Version", "$Latest")}
    return template, found[0]["VPCZoneIdentifier"].split(",")[0]
