"""Every `*` in a policy of the stack, with its reason: one that is not listed here fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.template.conftest import Synthesis

# (role or policy, resource with a wildcard) -> why nothing narrower can be said.
_OBJECTS = "keys are made at run time below a fixed prefix"
_INDEXES = "the table's own indexes"
_GROUP = "the group's unique id exists only after it; its name is fixed"
_NO_RESOURCE = "the actions know no resources"

REASONS: dict[str, dict[str, str]] = {
    "ApiRole": {
        "*": _NO_RESOURCE,
        "table/index/*": _INDEXES,
        "media/videos/*": _OBJECTS,
        "media/uploads/*": _OBJECTS,
        "media/inputs/*": _OBJECTS,
        "media/loras/*": _OBJECTS,
        "media/loras/character_*": _OBJECTS,
        "media/characters/*": _OBJECTS,
        "media/checkpoints/*": _OBJECTS,
        "media/outbox/*": _OBJECTS,
    },
    "DropFolderRole": {
        "*": _NO_RESOURCE,
        "table/index/*": _INDEXES,
        "media/inbox/*": _OBJECTS,
        "media/outbox/*": _OBJECTS,
        "media/inputs/*": _OBJECTS,
        "media/uploads/*": _OBJECTS,
        "media/loras/*": _OBJECTS,
    },
    "VideoRequestedRole": {
        "*": _NO_RESOURCE,
        "table/index/*": _INDEXES,
        "media/inputs/*": _OBJECTS,
        "media/uploads/*": _OBJECTS,
        "media/loras/*": _OBJECTS,
    },
    "PublisherRole": {"*": _NO_RESOURCE},
    "OutboxRole": {"*": _NO_RESOURCE, "media/videos/*": _OBJECTS, "media/outbox/*": _OBJECTS},
    "WebhooksRole": {"*": _NO_RESOURCE},
    "PlannerRole": {"*": _NO_RESOURCE, "table/index/*": _INDEXES, "group": _GROUP},
    "SweeperRole": {
        "*": _NO_RESOURCE,
        "table/index/*": _INDEXES,
        "group": _GROUP,
        "media/videos/*": _OBJECTS,
        "media/checkpoints/*": _OBJECTS,
        "media/inputs/*": _OBJECTS,
        "media/uploads/*": _OBJECTS,
        "media/characters/*": _OBJECTS,
        "media/inbox/characters/*": _OBJECTS,
        "media/outbox/characters/*": _OBJECTS,
    },
    "FleetRole": {
        "*": _NO_RESOURCE,
        "table/index/*": _INDEXES,
        "group": _GROUP,
        "media/agent/*": _OBJECTS,
        "media/characters/*": _OBJECTS,
        "media/videos/*": _OBJECTS,
        "media/checkpoints/*": _OBJECTS,
        "media/weights/*": _OBJECTS,
        "media/loras/*": _OBJECTS,
        "media/loras/character_*": _OBJECTS,
        "media/inputs/*": _OBJECTS,
        "media/uploads/*": _OBJECTS,
    },
    "FleetCallsRole": {"group": _GROUP},
}

# Actions that are granted on `*` because AWS defines no resource for them (Service Authorization Reference).
ACTIONS_WITHOUT_RESOURCES = {
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeScalingActivities",
    "cloudwatch:PutMetricData",
    "dynamodb:ListStreams",
    "ec2:DescribeSpotPriceHistory",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


def _statements(synthesis: Synthesis) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, policy in synthesis.of_type("AWS::IAM::Policy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield name, statement


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(resource: Any) -> str:
    """A resource in the words of REASONS: `table/index/*`, `media/videos/*`, `group`, `*`."""
    if isinstance(resource, str):
        return resource
    parts = resource.get("Fn::Join", ["", [resource]])[1]
    text = "".join(part if isinstance(part, str) else f"<{next(iter(part.values()))}>" for part in parts)
    if "autoScalingGroupName/" in text:
        return "group"
    return ("table" if "Table" in text else "media") + text[text.rindex(">") + 1 :]


def _role_of(policy_name: str) -> str:
    return policy_name.split("DefaultPolicy")[0]


def test_given_the_policies_when_searched_for_wildcards_then_each_has_a_reason(production: Synthesis) -> None:
    found: dict[str, set[str]] = {}
    for policy, statement in _statements(production):
        for resource in _listed(statement["Resource"]):
            if "*" in str(resource):
                found.setdefault(_role_of(policy), set()).add(_plain(resource))

    assert found == {role: set(reasons) for role, reasons in REASONS.items()}


def test_given_the_policies_when_searched_for_wildcards_then_no_action_has_one(production: Synthesis) -> None:
    actions = {action for _, statement in _statements(production) for action in _listed(statement["Action"])}

    assert [action for action in actions if "*" in action] == []


def test_given_a_grant_on_everything_when_read_then_its_actions_know_no_resources(production: Synthesis) -> None:
    granted = {
        action
        for _, statement in _statements(production)
        if "*" in _listed(statement["Resource"])
        for action in _listed(statement["Action"])
    }

    assert granted <= ACTIONS_WITHOUT_RESOURCES


def test_given_the_roles_when_read_then_none_has_a_managed_policy(production: Synthesis) -> None:
    assert [name for name, role in production.of_type("AWS::IAM::Role").items() if "ManagedPolicyArns" in role] == []
