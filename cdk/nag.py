"""cdk-nag: the rule pack, and the one way in which an exception to a rule is written down with its reason."""

from typing import Any

from aws_cdk import Acknowledgment, App, Stack, Validations
from cdk_nag import AwsSolutionsChecks
from constructs import Construct


def check_app(app: App) -> None:
    """Has every synthesis checked by the AWS Solutions pack; a finding without a reason fails it."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))


def acknowledge(construct: Construct, rule: str, reason: str) -> None:
    """Accepts the finding `rule` on one construct and all below it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def accept_wildcard(construct: Construct, resource: str, reason: str) -> None:
    """Accepts a `*` in the resource of a policy. `resource` is what the policy was given, tokens and all."""
    flat = _flatten(Stack.of(construct).resolve(resource))
    acknowledge(construct, f"AwsSolutions-IAM5[Resource::{flat}]", reason)


def _flatten(value: Any) -> str:
    """A resolved value as cdk-nag prints it: `<LogicalId.Arn>/index/*` for a join of a reference and a text."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_flatten(part) for part in parts)
        case {"Fn::GetAtt": [logical_id, attribute]}:
            return f"<{logical_id}.{attribute}>"
        case {"Ref": logical_id}:
            return f"<{logical_id}>"
        case _:
            return str(value)
