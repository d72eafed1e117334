"""Failed launches, read off a group's scaling activities and told apart by what can be done about them.

The codes are EC2's (docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html); Auto Scaling quotes them, or
the sentence that belongs to them, in an activity's StatusMessage.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from jobs.planner.situation import FailureKind, LaunchFailure

# A zone that does not offer the type is as one that has none left: the group goes on to the next zone or type. So is
# an instance that Spot takes back while it boots.
_CAPACITY = re.compile(
    r"InsufficientInstanceCapacity|InsufficientHostCapacity|UnfulfillableCapacity|capacity-not-available"
    r"|SpotMaxPriceTooLow|do(es)? not have sufficient|no Spot capacity|sufficient capacity"
    r"|not supported in your requested Availability Zone|SpotInstanceTermination",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"(Vcpu|Instance|Volume|Address|Interface)LimitExceeded|MaxSpotInstanceCountExceeded"
    r"|vCPU (capacity|limit)|limit of \d+",
    re.IGNORECASE,
)
FAILURE_LASTS_S = 3600.0  # longer than the planner and the group wait before they try again
# Passing states of AWS itself: the group tries again on its own and nobody need be told.
_PASSING = re.compile(r"RequestLimitExceeded|Throttl|InternalError|Unavailable", re.IGNORECASE)


def classify(message: str) -> FailureKind | None:
    """The kind of a failed launch; None for a passing fault. What is neither is taken for configuration."""
    if _QUOTA.search(message):
        return FailureKind.QUOTA
    if _CAPACITY.search(message):
        return FailureKind.CAPACITY
    return None if _PASSING.search(message) else FailureKind.CONFIGURATION


def latest_failure(activities: Iterable[Mapping[str, Any]], *, now_s: float) -> LaunchFailure | None:
    """The latest failed launch that no successful one has followed; of DescribeScalingActivities, newest first.

    Activities are kept for weeks: what failed longer than FAILURE_LASTS_S ago, and was not tried since, is history."""
    for activity in activities:
        if not str(activity.get("Description", "")).startswith("Launching"):
            continue
        if activity["StatusCode"] == "Successful":
            return None
        if activity["StatusCode"] in {"Failed", "Cancelled"}:
            message = str(activity.get("StatusMessage", ""))
            kind = classify(message)
            if now_s - _unix(activity["StartTime"]) > FAILURE_LASTS_S:
                return None
            if kind is not None:
                return LaunchFailure(kind=kind, at_s=_unix(activity["StartTime"]), message=message)
    return None


def _unix(at: datetime | float) -> float:
    return at.timestamp() if isinstance(at, datetime) else float(at)
