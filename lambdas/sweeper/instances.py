"""Instances that are paid for without an agent: ended, so that the planner starts others where there is work."""

from aws_lambda_powertools import Logger

from jobs import aws
from jobs.fleet_plan import PlanStore
from jobs.settings import settings

PLAN_LASTS_S = 300.0  # an older record says nothing of now
logger = Logger(child=True)


def end_silent(*, now: float) -> int:
    """Ends those that the planner's record names. Returns how many."""
    from botocore.exceptions import ClientError

    plan = PlanStore(settings().table).get()
    if plan is None or now - plan.at > PLAN_LASTS_S:
        return 0
    ended = 0
    for instance_id in plan.silent:
        logger.warning("an instance without an agent is ended", extra={"instance_id": instance_id})
        try:
            aws.autoscaling().terminate_instance_in_auto_scaling_group(
                InstanceId=instance_id, ShouldDecrementDesiredCapacity=True
            )
        except ClientError as error:
            # Gone already, or the group is at its warm minimum: that one has to be looked at by a person.
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            logger.warning("the group keeps it", extra={"instance_id": instance_id, "reason": str(error)})
        else:
            ended += 1
    return ended
