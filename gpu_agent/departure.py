"""Idle shutdown: the instance ends itself through its Auto Scaling group, with the desired capacity decremented."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from gpu_agent.context import Context
from gpu_agent.idle import IdleAction, InstanceWork, decide
from gpu_agent.logs import logger
from gpu_agent.metrics import count
from gpu_agent.slot import Slot

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

REFUSED = "ValidationError"  # not in the group, or the group is at its smallest size


class Departure:
    """Watches for idleness. `leave` is called once the group has agreed."""

    def __init__(
        self,
        context: Context,
        slots: tuple[Slot, ...],
        autoscaling: "AutoScalingClient",
        *,
        leave: Callable[[], None],
    ) -> None:
        self._context = context
        self._slots = slots
        self._autoscaling = autoscaling
        self._leave = leave

    def turn(self) -> float | None:
        """One look; for a Loop. Raises passing errors, with the cordon lifted again."""
        if self._context.board.posted or self._decide() is IdleAction.STAY:
            return None
        was_cordoned = self._context.hands.cordoned
        self._context.hands.cordon()
        left = False
        try:
            # Between the decision and the cordon a slot may have found work: then there is something in hand.
            left = self._context.hands.empty and self._terminate()
        finally:
            if not left and not was_cordoned:
                self._context.hands.uncordon()
        if left:
            self._leave()
            return None
        return None if not self._context.hands.empty else self._context.settings.idle_limit_s

    def _decide(self) -> IdleAction:
        hands = self._context.hands
        work = InstanceWork(
            in_hand=hands.count(),
            idle_s=hands.idle_s(),
            working_slots=sum(not slot.isolated for slot in self._slots),
            cordoned=hands.cordoned,
        )
        return decide(work, idle_limit_s=self._context.settings.idle_limit_s)

    def _terminate(self) -> bool:
        try:
            self._autoscaling.terminate_instance_in_auto_scaling_group(
                InstanceId=self._context.instance_id, ShouldDecrementDesiredCapacity=True
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            logger.info("idle, but the group keeps this instance", extra={"reason": str(error)})
            return False
        count("IdleShutdown")
        logger.info("idle: the instance ends itself")
        return True
