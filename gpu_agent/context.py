"""What the agent's parts share."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gpu_agent.checkpoints import CheckpointStore
from gpu_agent.ending import Ending
from gpu_agent.held import Hands
from gpu_agent.imds import Notice, NoticeKind
from gpu_agent.inputs import InputFetcher
from gpu_agent.outcomes import Outcomes
from gpu_agent.settings import AgentSettings
from gpu_agent.source import WorkSource
from jobs.queue import JobQueues
from jobs.store import JobStore
from models.estimate import Slot


class NoticeBoard:
    """The notices that the machine is to go, for everyone to see, and the time that is left: the earliest counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines_s: dict[NoticeKind, float] = {}
        self._withdrawn_s: dict[NoticeKind, float] = {}

    def post(self, notice: Notice, *, in_s: float) -> None:
        """Of the same kind, an earlier deadline replaces a later one."""
        with self._lock:
            deadline_s = time.monotonic() + in_s
            self._deadlines_s[notice.kind] = min(deadline_s, self._deadlines_s.get(notice.kind, deadline_s))
            self._withdrawn_s.pop(notice.kind, None)

    def withdraw(self, kind: NoticeKind) -> bool:
        """As far as this kind of notice goes, the machine stays after all. Whether there was one."""
        with self._lock:
            if self._deadlines_s.pop(kind, None) is None:
                return False
            self._withdrawn_s[kind] = time.monotonic()
            return True

    def withdrawn_for_s(self, kind: NoticeKind) -> float | None:
        """Seconds since a notice of this kind was withdrawn; None where none was, or one was posted again."""
        with self._lock:
            at_s = self._withdrawn_s.get(kind)
        return None if at_s is None else time.monotonic() - at_s

    @property
    def posted(self) -> bool:
        with self._lock:
            return bool(self._deadlines_s)

    @property
    def reason(self) -> str:
        """The kind of the notice that leaves the least time, empty without one."""
        with self._lock:
            return min(self._deadlines_s, key=self._deadlines_s.__getitem__, default="")

    def remaining_s(self) -> float:
        """Seconds until the machine goes; infinite without a notice."""
        with self._lock:
            return min(self._deadlines_s.values(), default=float("inf")) - time.monotonic()


@dataclass(frozen=True, kw_only=True)
class Context:
    """One of each, for one agent. `ending` runs what ends attempts, beside the slots; `models_now` tells what this
    machine can run.

    `slot` is what one worker owns, as the placement's arithmetic knows it; None where it knows nothing of it.
    `slot_name` is its kind in words (`A10Gx1`).
    `slot_usd_per_hour` is the slot's share of the instance's price, None where nobody knows it.
    """

    instance_id: str
    is_spot: bool
    models_now: Callable[[], frozenset[str]]
    slot: Slot | None
    slot_name: str
    slot_usd_per_hour: float | None
    settings: AgentSettings
    store: JobStore
    queues: JobQueues
    source: WorkSource
    fetcher: InputFetcher
    checkpoints: CheckpointStore
    outcomes: Outcomes
    hands: Hands
    ending: Ending
    board: NoticeBoard = field(default_factory=NoticeBoard)
