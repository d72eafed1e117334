"""What goes wrong, when and to whom: drawn from a seed, so that a run can be repeated."""

import random
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    KILL_MACHINE = "kill -9 of agent and workers"
    KILL_WORKER = "kill -9 of a worker"
    SPOT_NOTICE = "Spot notice"
    PAUSE = "pause past the lease, then wake"
    DUPLICATE = "message delivered twice"
    EARLY_VISIBILITY = "visibility expires early"
    FAILING_CALLS = "AWS calls fail"
    HANGING_CALLS = "AWS calls hang"
    FULL_DISK = "disk full"
    CORRUPT_CHECKPOINT = "checkpoint corrupted"
    LATE_COMPLETION = "completion delivered late"


# The first of a plan are always these: they are what a broken fence, heartbeat or checkpoint shows itself by.
ALWAYS = (Kind.KILL_MACHINE, Kind.SPOT_NOTICE, Kind.LATE_COMPLETION, Kind.PAUSE)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """At `at_s` seconds into the run, to agent `agent`."""

    at_s: float
    kind: Kind
    agent: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    seed: int
    num_jobs: int
    num_agents: int
    faults: tuple[Fault, ...]


def draw_plan(seed: int, *, num_jobs: int, num_agents: int, num_faults: int, spacing_s: float) -> Plan:
    """`num_faults` faults, about `spacing_s` seconds apart: those that matter most, then one of each, then any."""
    rng = random.Random(seed)
    others = [kind for kind in Kind if kind not in ALWAYS]
    kinds = [*ALWAYS, *others, *rng.choices(tuple(Kind), k=num_faults)][:num_faults]
    rng.shuffle(kinds)
    faults = tuple(
        Fault(at_s=(number + rng.uniform(0.2, 0.8)) * spacing_s, kind=kind, agent=rng.randrange(num_agents))
        for number, kind in enumerate(kinds)
    )
    return Plan(seed=seed, num_jobs=num_jobs, num_agents=num_agents, faults=faults)
