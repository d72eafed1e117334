"""Tells the Auto Scaling group that a drain has ended, so that the instance goes at once and is not paid for longer."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from gpu_agent.logs import logger

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

LEAVING = "Terminating"
WAITING = "Terminating:Wait"
LOOKS = 10  # after its own wish to go an instance takes seconds to reach the hook
LOOK_S = 1.0


def complete_termination(
    autoscaling: "AutoScalingClient", *, instance_id: str, hook: str, sleep: Callable[[float], None] = time.sleep
) -> bool:
    """Complete the group's terminating `hook` if this instance is held by it; whether it was.

    An instance that goes for another reason (Spot, a signal) is held by no hook. Failing is no loss but of money: the
    hook runs out by itself.
    """
    try:
        for _ in range(LOOKS):
            known = autoscaling.describe_auto_scaling_instances(InstanceIds=[instance_id])["AutoScalingInstances"]
            if not known or not known[0]["LifecycleState"].startswith(LEAVING):
                return False
            if known[0]["LifecycleState"] == WAITING:
                autoscaling.complete_lifecycle_action(
                    LifecycleHookName=hook,
                    AutoScalingGroupName=known[0]["AutoScalingGroupName"],
                    InstanceId=instance_id,
                    LifecycleActionResult="CONTINUE",
                )
                return True
            sleep(LOOK_S)
    except (BotoCoreError, ClientError) as error:
        logger.warning("lifecycle action not completed", extra={"error": repr(error)})
    return False
