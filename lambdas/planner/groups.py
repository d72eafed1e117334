"""The fleet's Auto Scaling groups as AWS shows them, and the two calls that change them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from jobs import aws, clock
from jobs.planner import LaunchFailure, latest_failure

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

# An instance in any other state is on its way out.
_PRESENT = ("Pending", "InService", "Standby", "Entering")
_ACTIVITIES = 20  # enough to see past the activities of a few instances to the last launch


class Group(NamedTuple):
    """One group. `types` has the instance type of each instance that is there or booting, by id; `leaving` of those on
    their way out, which are still paid for."""

    name: str
    desired: int
    min_size: int
    max_size: int
    types: Mapping[str, str]
    failure: LaunchFailure | None
    leaving: Mapping[str, str] = MappingProxyType({})

    @property
    def billed(self) -> dict[str, str]:
        """The types of all instances that cost money, by id."""
        return {**self.types, **self.leaving}


NO_GROUP = Group(name="", desired=0, min_size=0, max_size=0, types={}, failure=None)


def read(name: str) -> Group:
    """The group and its latest launch failure. Raises LookupError if there is no such group."""
    if not name:
        return NO_GROUP
    answer = aws.autoscaling().describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    if not answer["AutoScalingGroups"]:
        raise LookupError(f"no Auto Scaling group {name}")
    found = answer["AutoScalingGroups"][0]
    return Group(
        name=name,
        desired=found["DesiredCapacity"],
        min_size=found["MinSize"],
        max_size=found["MaxSize"],
        types=_types(found, is_present=True),
        failure=_failure(name),
        leaving=_types(found, is_present=False),
    )


def resize(group: Group, *, desired: int, minimum: int | None = None) -> bool:
    """Make the group want `desired` instances (and keep `minimum`), as far as its own bounds go: AWS refuses anything
    beyond. A deploy may have lowered them below what is there. No call where the group wants that already."""
    least = group.min_size if minimum is None else min(minimum, group.max_size)
    wanted = max(least, min(desired, group.max_size))
    changes_minimum = least != group.min_size
    if changes_minimum:
        aws.autoscaling().update_auto_scaling_group(AutoScalingGroupName=group.name, MinSize=least)
    if wanted == group.desired:
        return changes_minimum
    aws.autoscaling().set_desired_capacity(AutoScalingGroupName=group.name, DesiredCapacity=wanted, HonorCooldown=False)
    return True


def _types(found: "AutoScalingGroupTypeDef", *, is_present: bool) -> dict[str, str]:
    return {
        instance["InstanceId"]: instance.get("InstanceType", "")
        for instance in found["Instances"]
        if instance["LifecycleState"].startswith(_PRESENT) is is_present
    }


def _failure(name: str) -> LaunchFailure | None:
    answer = aws.autoscaling().describe_scaling_activities(AutoScalingGroupName=name, MaxRecords=_ACTIVITIES)
    return latest_failure(answer["Activities"], now_s=clock.now())
