"""Each minute, and when a job is queued: enough instances for the backlog. Only upward: idle agents end themselves."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs import aws
from jobs.scaling import Demand, Limits, desired_instances
from jobs.settings import settings
from jobs.states import State
from lambdas import services

logger = Logger()


class PlannerSettings(BaseSettings):
    """The planner's own variables."""

    model_config = SettingsConfigDict(env_prefix="REVALIDA_", frozen=True)

    target_backlog_s: float
    slots_per_instance: int


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Returns the group's capacity before and after."""
    group = settings().asg_name
    current, maximum = _capacity(group)
    own = PlannerSettings()
    limits = Limits(
        max_instances=maximum, slots_per_instance=own.slots_per_instance, target_backlog_s=own.target_backlog_s
    )
    demand = _demand()
    desired = desired_instances(demand, limits, current=current)
    if desired > current:
        aws.autoscaling().set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=desired, HonorCooldown=False)
        logger.info("capacity raised", extra={"before": current, "after": desired, **demand._asdict()})
    return {"before": current, "after": desired}


def _capacity(group: str) -> tuple[int, int]:
    answer = aws.autoscaling().describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    if not answer["AutoScalingGroups"]:
        raise LookupError(f"no Auto Scaling group {group}")
    found = answer["AutoScalingGroups"][0]
    return found["DesiredCapacity"], found["MaxSize"]


def _demand() -> Demand:
    queued = [job.estimate.seconds if job.estimate else 0.0 for job in services.store().in_state(State.QUEUED)]
    running = sum(1 for _ in services.store().in_state(State.IN_PROGRESS))
    return Demand(queued=len(queued), queued_s=sum(queued), running=running)
