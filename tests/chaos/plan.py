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


LAST_FAULT_SHARE = 0.6  # of the jobs: the last fault still meets work


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Once `after_jobs` jobs have ended, to agent `agent`: by the run's own progress, which no slow machine shifts."""

    after_jobs: int
    kind: Kind
    agent: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every `long_every`th job is a long one: amid those strikes what resuming must survive."""

    seed: int
    num_jobs: int
    num_agents: int
    long_every: int
    faults: tuple[Fault, ...]


def draw_plan(seed: int, *, num_jobs: int, num_agents: int, num_faults: int, long_every: int) -> Plan:
    """`num_faults` faults, spread over the run: those that matter most, then one of each, then any."""
    rng = random.Random(seed)
    others = [kind for kind in Kind if kind not in ALWAYS]
    kinds = [*ALWAYS, *others, *rng.choices(tuple(Kind), k=num_faults)][:num_faults]
    rng.shuffle(kinds)
    jobs_apart = LAST_FAULT_SHARE * num_jobs / num_faults
    faults = tuple(
        Fault(after_jobs=int((number + rng.random()) * jobs_apart), kind=kind, agent=rng.randrange(num_agents))
        for number, kind in enumerate(kinds)
    )
    return Plan(seed=seed, num_jobs=num_jobs, num_agents=num_agents, long_every=long_every, faults=faults)
