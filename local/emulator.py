"""`python -m local.emulator`: MiniStack, with the Auto Scaling calls that the fleet makes and MiniStack 1.5.33 lacks.

An idle agent ends its own instance with TerminateInstanceInAutoScalingGroup, and takes its protection from scale-in
off and on with SetInstanceProtection. Both are added to MiniStack's own table of actions, over its own records, so
that the agent's code is the same here and on AWS. Drop this module when MiniStack has them: a test tells.
"""

from typing import Any

from ministack.app import main  # type: ignore[import-untyped]
from ministack.services import autoscaling  # type: ignore[import-untyped]

Answer = tuple[int, dict[str, str], bytes]


def _find(instance_id: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The group that holds the instance, and the instance's record."""
    for group in autoscaling._asgs.values():
        for instance in group["Instances"]:
            if instance["InstanceId"] == instance_id:
                return group, instance
    return None


def terminate_instance(params: dict[str, Any]) -> Answer:
    """TerminateInstanceInAutoScalingGroup: takes the instance off, or replaces it where capacity is to stay."""
    instance_id = autoscaling._p(params, "InstanceId")
    found = _find(instance_id)
    if found is None:
        return _not_found(instance_id)
    group, instance = found
    decrement = autoscaling._p(params, "ShouldDecrementDesiredCapacity").lower() == "true"
    if decrement and group["DesiredCapacity"] - 1 < group["MinSize"]:
        name = group["AutoScalingGroupName"]
        message = f"Currently, desiredSize equals minSize ({group['MinSize']}) of group {name}."
        return _answer(autoscaling._error("ValidationError", message))
    group["Instances"].remove(instance)
    if decrement:
        group["DesiredCapacity"] -= 1
    autoscaling._reconcile_instances(group)
    activity = (
        "<TerminateInstanceInAutoScalingGroupResult><Activity>"
        f"<ActivityId>{autoscaling.new_uuid()}</ActivityId>"
        f"<AutoScalingGroupName>{group['AutoScalingGroupName']}</AutoScalingGroupName>"
        f"<Cause>At the request of instance {instance_id}</Cause>"
        f"<StartTime>{autoscaling.now_iso()}</StartTime><StatusCode>InProgress</StatusCode>"
        "</Activity></TerminateInstanceInAutoScalingGroupResult>"
    )
    return _answer(autoscaling._xml(200, "TerminateInstanceInAutoScalingGroupResponse", activity))


def set_instance_protection(params: dict[str, Any]) -> Answer:
    """SetInstanceProtection for each instance named; none is changed if one is unknown."""
    ids = autoscaling._parse_member_list(params, "InstanceIds")
    found = {instance_id: _find(instance_id) for instance_id in ids}
    protected = autoscaling._p(params, "ProtectedFromScaleIn").lower() == "true"
    for instance_id, record in found.items():
        if record is None:
            return _not_found(instance_id)
    for record in found.values():
        if record is not None:
            record[1]["ProtectedFromScaleIn"] = protected
    return _answer(autoscaling._xml(200, "SetInstanceProtectionResponse", "<SetInstanceProtectionResult/>"))


MISSING_ACTIONS = {
    "TerminateInstanceInAutoScalingGroup": terminate_instance,
    "SetInstanceProtection": set_instance_protection,
}


def _not_found(instance_id: str) -> Answer:
    return _answer(autoscaling._error("ValidationError", f"Instance Id not found - No managed instance {instance_id}"))


def _answer(value: Any) -> Answer:
    status, headers, body = value
    return status, headers, body


if __name__ == "__main__":
    autoscaling._ACTION_MAP.update(MISSING_ACTIONS)
    main()
