"""Leaving: an idle instance, or one whose jobs have moved, ends itself through its Auto Scaling group, with the desired
capacity decremented. One that can do nothing leaves also where that must not shrink."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from gpu_agent.context import Context
from gpu_agent.idle import IdleAction, InstanceWork, decide
from gpu_agent.imds import NoticeKind
from gpu_agent.logs import logger
from gpu_agent.metrics import count
from gpu_agent.slot import Slot

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

LOOK_S = 0.1
IDLE = "idle"  # this part's own reason for a cordon; those of notices are theirs to lift
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
        self._not_before_s = 0.0

    def turn(self) -> float | None:
        """One look; for a Loop. Raises passing errors, with the cordon lifted again."""
        if self._context.board.reason == NoticeKind.MOVE:
            self._leave_once_moved()
            return None
        if self._context.board.posted:
            return None
        if any(slot.starting for slot in self._slots):
            self._context.hands.begin_idling()
        if time.monotonic() < self._not_before_s:
            return None
        if self._decide() is IdleAction.STAY:
            self._context.hands.uncordon(IDLE)  # a slot that was still looking has found work
            return None
        self._context.hands.cordon(IDLE)
        if not self._context.hands.empty:
            return LOOK_S  # a slot still looks: the cordon stays, and nobody begins another look
        self._leave_or_stay()
        return None

    def _leave_or_stay(self) -> None:
        left = False
        try:
            left = self._terminate()
        finally:
            if not left:
                self._context.hands.uncordon(IDLE)
        if left:
            self._leave()

    def _leave_once_moved(self) -> None:
        """The planner found this instance to spare: it goes when its hands are empty, or works on if it may not go."""
        if not self._context.hands.empty:
            return
        if self._terminate():
            self._leave()
            return
        if self._context.board.withdraw(NoticeKind.MOVE):
            self._context.hands.uncordon(NoticeKind.MOVE)
        self._context.hands.uncordon(IDLE)  # put while a slot still looked, before the order came

    def _decide(self) -> IdleAction:
        hands = self._context.hands
        work = InstanceWork(
            in_hand=hands.count(),
            idle_s=hands.idle_s(),
            working_slots=self._working_slots(),
            cordoned=hands.cordoned,
        )
        return decide(work, idle_limit_s=self._context.settings.idle_limit_s)

    def _terminate(self) -> bool:
        # A group at its smallest size keeps its instances; one that can do nothing is of no use to it, and is replaced.
        if not (self._let_go(shrink=True) or (self._working_slots() == 0 and self._let_go(shrink=False))):
            # Asked again after as long as it idled before, while the loop goes on to look for an order to move.
            self._not_before_s = time.monotonic() + self._context.settings.idle_limit_s
            return False
        count("IdleShutdown")
        logger.info("nothing in hand: the instance ends itself")
        return True

    def _let_go(self, *, shrink: bool) -> bool:
        try:
            self._autoscaling.terminate_instance_in_auto_scaling_group(
                InstanceId=self._context.instance_id, ShouldDecrementDesiredCapacity=shrink
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            logger.info("idle, but the group keeps this instance", extra={"reason": str(error), "shrink": shrink})
            return False
        return True

    def _working_slots(self) -> int:
        return sum(not slot.isolated for slot in self._slots)
