"""The end of a drain is told to the group, and only where the group waits for it."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from gpu_agent.lifecycle import complete_termination


class Group:
    """The group's answers to one instance's questions, in order."""

    def __init__(self, *states: str | None) -> None:
        self._states = list(states)
        self.completed: list[dict[str, Any]] = []

    def describe_auto_scaling_instances(self, *, InstanceIds: list[str]) -> dict[str, Any]:
        state = self._states.pop(0)
        entry = {"InstanceId": InstanceIds[0], "AutoScalingGroupName": "fleet", "LifecycleState": state}
        return {"AutoScalingInstances": [] if state is None else [entry]}

    def complete_lifecycle_action(self, **call: Any) -> None:
        self.completed.append(call)


def complete(group: Any) -> bool:
    return complete_termination(group, instance_id="i-1", hook="drain", sleep=lambda seconds: None)


def test_given_an_instance_that_soon_waits_in_its_hook_then_the_action_is_completed_once() -> None:
    group = Group("Terminating", "Terminating:Wait")

    assert complete(group)

    assert group.completed == [
        {
            "LifecycleHookName": "drain",
            "AutoScalingGroupName": "fleet",
            "InstanceId": "i-1",
            "LifecycleActionResult": "CONTINUE",
        }
    ]


@pytest.mark.parametrize("state", ["InService", None, "Detached"])
def test_given_an_instance_that_no_hook_holds_then_nothing_is_completed(state: str | None) -> None:
    group = Group(state)

    assert not complete(group)
    assert group.completed == []


def test_given_a_group_that_does_not_answer_then_leaving_goes_on() -> None:
    class Silent(Group):
        def describe_auto_scaling_instances(self, *, InstanceIds: list[str]) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": "Throttling"}}, "DescribeAutoScalingInstances")

    assert not complete(Silent())
