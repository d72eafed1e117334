"""The interruption watcher: from notices of the metadata service, a signal or the planner's order to a drain."""

from gpu_agent.context import Context
from gpu_agent.imds import Imds, Notice, NoticeKind
from gpu_agent.logs import logger
from gpu_agent.metrics import count
from gpu_agent.orders import FleetOrders
from jobs.clock import now


class InterruptionWatcher:
    """Looks for a notice and posts it once. A rebalance recommendation only stops new work: the machine is at risk."""

    def __init__(self, imds: Imds, context: Context, orders: FleetOrders) -> None:
        self._imds = imds
        self._context = context
        self._orders = orders
        self._seen: set[NoticeKind] = set()

    def turn(self) -> None:
        """One look; for a Loop. Raises httpx.HTTPError where the service is away."""
        notice = self._imds.notice()
        if notice is not None:
            self.act(notice)

    def obey(self) -> None:
        """One look at the planner's orders; for a Loop. Raises what the table raises."""
        if not self._orders.retires(self._context.instance_id):
            return
        withdrawn_for_s = self._context.board.withdrawn_for_s(NoticeKind.MOVE)
        # Each move costs the jobs in hand their steps since the last checkpoint, and the group may well refuse again.
        if withdrawn_for_s is not None and withdrawn_for_s >= self._context.settings.move_s:
            self._seen.discard(NoticeKind.MOVE)
        self.act(Notice(kind=NoticeKind.MOVE))

    def act(self, notice: Notice) -> None:
        """The first notice of each kind counts; of orders to move, the first that stands."""
        if notice.kind in self._seen:
            return
        self._seen.add(notice.kind)
        count("InterruptionNotice", Kind=notice.kind)
        self._context.hands.cordon(notice.kind)
        if notice.kind is NoticeKind.REBALANCE:
            logger.warning("rebalance recommended: no new work")
            return
        in_s = self._time_left_s(notice)
        logger.warning("the machine is to go", extra={"kind": notice.kind, "in_s": in_s})
        self._context.board.post(notice, in_s=in_s)

    def _time_left_s(self, notice: Notice) -> float:
        """Nobody takes the machine of a job that moves: the step under way may take its time."""
        settings = self._context.settings
        if notice.kind is NoticeKind.MOVE:
            return settings.move_s
        return settings.drain_s if notice.at_s is None else max(0.0, notice.at_s - now())
