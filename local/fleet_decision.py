"""Which agents to start and stop, as a function of what the group wants and what runs: no I/O."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

_FIRST_BACKOFF_S = 1.0
_LONGEST_BACKOFF_S = 60.0
# An agent that ran for this long is past its start: its end is no sign that the next start fails, too.
_PROVEN_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One instance's agent. `ended_at_s` is None while it runs; `failures` counts starts that came to nothing."""

    started_at_s: float
    ended_at_s: float | None = None
    failures: int = 0


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Instance ids, each in sorted order. `forget` are ended agents of instances that are gone."""

    start: tuple[str, ...]
    stop: tuple[str, ...]
    forget: tuple[str, ...]


def decide(wanted: Collection[str], agents: Mapping[str, Agent], *, now_s: float) -> Changes:
    """`wanted` are the ids of the group's InService instances. Times are seconds of one monotonic clock."""
    gone = {instance_id: agent for instance_id, agent in agents.items() if instance_id not in wanted}
    return Changes(
        start=tuple(sorted(name for name in wanted if _is_due(agents.get(name), now_s))),
        stop=tuple(sorted(name for name, agent in gone.items() if agent.ended_at_s is None)),
        forget=tuple(sorted(name for name, agent in gone.items() if agent.ended_at_s is not None)),
    )


def ended(agent: Agent, *, now_s: float) -> Agent:
    """The agent's record after its process was seen to have ended."""
    proven = now_s - agent.started_at_s >= _PROVEN_S
    return Agent(started_at_s=agent.started_at_s, ended_at_s=now_s, failures=1 if proven else agent.failures + 1)


def backoff_s(failures: int) -> float:
    """Seconds before the next start after `failures` starts that came to nothing: 1, 2, 4 ... 60."""
    return float(min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** max(0, min(failures, 16) - 1)))


def _is_due(agent: Agent | None, now_s: float) -> bool:
    if agent is None:
        return True
    return agent.ended_at_s is not None and now_s >= agent.ended_at_s + backoff_s(agent.failures)
