"""The waiting videos, and production's choice among them."""

from collections import deque
from typing import NamedTuple

from gpu_agent.choice import ChoicePolicy, SlotView, TenantUse, WaitingJob, choose

OWNER = "simulated"


class Kind(NamedTuple):
    """Videos that differ for the choice only in how long they have waited."""

    model: int
    priority: int
    on_demand_only: bool


class WaitingVideos:
    """One line a kind, oldest first. The policy sees the head of each: whoever stands behind would lose against it."""

    def __init__(self, models: tuple[str, ...], policy: ChoicePolicy) -> None:
        self._models = models
        self._policy = policy
        self._all = frozenset(models)
        self._nobody = TenantUse()
        self.lines: dict[Kind, deque[tuple[int, WaitingJob]]] = {}
        self.count = 0
        self.work_s: dict[Kind, float] = {}

    def put(self, job: int, kind: Kind, work_s: float, load_s: float, now_s: float) -> None:
        """A video begins to wait, at the end of its line."""
        waiting = WaitingJob(
            job_id=str(job),
            model=self._models[kind.model],
            owner=OWNER,
            queued_at_s=now_s,
            priority=kind.priority,
            work_s=work_s,
            load_s=load_s,
            on_demand_only=kind.on_demand_only,
        )
        self.lines.setdefault(kind, deque()).append((job, waiting))
        self.work_s[kind] = self.work_s.get(kind, 0.0) + work_s
        self.count += 1

    def take(
        self, loaded: int, *, is_spot: bool, leaves_to_spot: bool, kept_s: float, now_s: float
    ) -> tuple[int, Kind] | None:
        """What a slot runs next, out of its line; the caller gives its seconds back to `took`."""
        if not self.count:
            return None
        view = SlotView(
            models=self._all,
            loaded=self._models[loaded] if loaded >= 0 else None,
            is_spot=is_spot,
            leaves_to_spot=leaves_to_spot,
            kept_s=kept_s,
        )
        heads = {line[0][1].job_id: kind for kind, line in self.lines.items()}
        chosen = choose((line[0][1] for line in self.lines.values()), view, self._nobody, self._policy, now_s=now_s)
        if chosen is None:
            return None
        kind = heads[chosen.job_id]
        line = self.lines[kind]
        job, _ = line.popleft()
        if not line:
            del self.lines[kind]
        self.count -= 1
        return job, kind

    def late(self, kind: Kind, by_s: float) -> tuple[int, float]:
        """Of a line of videos marked for on-demand: how many Spot may run by then, and their predicted seconds."""
        patience_s = self._policy.on_demand_patience_s
        late = [one.work_s for _, one in self.lines[kind] if by_s - one.queued_at_s >= patience_s]
        return len(late), sum(late)

    def took(self, kind: Kind, work_s: float) -> None:
        """The line is shorter by a video of so many predicted seconds."""
        left_s = self.work_s[kind] - work_s
        self.work_s[kind] = left_s if kind in self.lines else 0.0
