"""Failed launches, read off a group's scaling activities and told apart by what can be done about them.

The codes are EC2's (docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html); Auto Scaling quotes them, or
the sentence that belongs to them, in an activity's StatusMessage.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from jobs.planner.situation import FailureKind, LaunchFailure

_CAPACITY = re.compile(
    r"InsufficientInstanceCapacity|InsufficientHostCapacity|UnfulfillableCapacity|capacity-not-available"
    r"|SpotMaxPriceTooLow|do(es)? not have sufficient|no Spot capacity|sufficient capacity",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"VcpuLimitExceeded|MaxSpotInstanceCountExceeded|InstanceLimitExceeded|vCPU (capacity|limit)|limit of \d+",
    re.IGNORECASE,
)
# Passing states of AWS itself: the group tries again on its own and nobody need be told.
_PASSING = re.compile(r"RequestLimitExceeded|Throttl|InternalError|Unavailable", re.IGNORECASE)


def classify(message: str) -> FailureKind | None:
    """The kind of a failed launch; None for a passing fault. What is neither is taken for configuration."""
    if _QUOTA.search(message):
        return FailureKind.QUOTA
    if _CAPACITY.search(message):
        return FailureKind.CAPACITY
    return None if _PASSING.search(message) else FailureKind.CONFIGURATION


def latest_failure(activities: Iterable[Mapping[str, Any]]) -> LaunchFailure | None:
    """The latest failed launch that no successful one has followed; of DescribeScalingActivities, newest first."""
    for activity in activities:
        if not str(activity.get("Description", "")).startswith("Launching"):
            continue
        if activity["StatusCode"] == "Successful":
            return None
        if activity["StatusCode"] in {"Failed", "Cancelled"}:
            message = str(activity.get("StatusMessage", ""))
            kind = classify(message)
            if kind is not None:
                return LaunchFailure(kind=kind, at_s=_unix(activity["StartTime"]), message=message)
    return None


def _unix(at: datetime | float) -> float:
    return at.timestamp() if isinstance(at, datetime) else float(at)
