"""What the agent's parts share."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gpu_agent.checkpoints import CheckpointStore
from gpu_agent.ending import Ending
from gpu_agent.held import Hands
from gpu_agent.imds import Notice
from gpu_agent.inputs import InputFetcher
from gpu_agent.outcomes import Outcomes
from gpu_agent.settings import AgentSettings
from gpu_agent.source import WorkSource
from jobs.queue import JobQueues
from jobs.store import JobStore
from models.estimate import Slot


class NoticeBoard:
    """The notice that the machine is to go, for everyone to see, and the time that is left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadline_s: float | None = None
        self._reason = ""

    def post(self, notice: Notice, *, in_s: float) -> None:
        """An earlier deadline replaces a later one."""
        with self._lock:
            deadline_s = time.monotonic() + in_s
            if self._deadline_s is None or deadline_s < self._deadline_s:
                self._deadline_s = deadline_s
                self._reason = notice.kind

    def withdraw(self) -> None:
        """The machine stays after all."""
        with self._lock:
            self._deadline_s, self._reason = None, ""

    @property
    def posted(self) -> bool:
        with self._lock:
            return self._deadline_s is not None

    @property
    def reason(self) -> str:
        with self._lock:
            return self._reason

    def remaining_s(self) -> float:
        """Seconds until the machine goes; infinite without a notice."""
        with self._lock:
            return float("inf") if self._deadline_s is None else self._deadline_s - time.monotonic()


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
