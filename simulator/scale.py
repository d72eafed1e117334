"""What 10, 1,000 and 100,000 videos an hour take: simulated instances, and AWS's limits in the order in which they
bind. `python -m simulator.scale` writes the figures of docs/escala.md to docs/dados/escala.json."""

import json
import math
import sys
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from simulator.compare import compare
from simulator.policies import OURS
from simulator.scenario import Demand, Fleet, Scenario
from simulator.work import videos

FIGURES = Path(__file__).parents[1] / "docs" / "dados" / "escala.json"


class Step(NamedTuple):
    """A rate, and for how many simulated hours it is held."""

    videos_per_hour: float
    hours: float


STEPS = (Step(10, 168.0), Step(1_000, 24.0), Step(100_000, 2.0))


class Limit(BaseModel):
    """One of AWS's limits: what of it a rate uses. `default` is a new account's or the service's own."""

    model_config = ConfigDict(frozen=True)

    name: str
    unit: str
    used: float
    default: float
    adjustable: bool

    @property
    def share(self) -> float:
        return self.used / self.default


class Scale(BaseModel):
    """One rate, simulated. `limits` come with the tightest first."""

    model_config = ConfigDict(frozen=True)

    videos_per_hour: float
    instances: int
    vcpus: int
    usd_per_hour: float
    usd_per_video: float
    p95_min: float
    in_flight: int
    limits: tuple[Limit, ...]


# What one job does to the table, the bus and the functions, read off our own code.
WRITES_A_JOB = 4  # created, sent, claimed, finished
HEARTBEAT_S = 10.0  # gpu_agent.settings: heartbeat_s; each rewrites the record, and its copy in the index
RECORD_KIB = 2.0  # a finished job's item, with its attempts
WAITING_LIMIT, RUNNING_LIMIT = 5_000, 200  # gpu_agent.source: what one choice reads of either state
EVENTS_A_JOB = 3  # queued, started, completed; and one for each denoise step
WAKES_APART_S = 5.0  # lambdas.planner.turn: SPACING_S; a run that is woken waits for its turn
TICKS_PER_S = 1 / 60  # the planner's and the sweeper's own clock
API_S, PLANNER_S, PUBLISHER_S = 0.15, 2.0, 0.05  # of a function's run; estimates until CloudWatch says


class Load(NamedTuple):
    """What a rate keeps busy: jobs that come, that wait or run at any time, and denoise steps of the average job."""

    jobs_per_s: float
    running: float
    in_system: float
    steps_a_job: float


def scale(step: Step) -> Scale:
    """Simulate a steady rate and work out what it uses."""
    busiest = math.ceil(step.videos_per_hour)
    fleet = Fleet(max_instances=max(40, busiest), max_on_demand=0)
    demand = Demand(pattern="poisson", videos_per_hour=step.videos_per_hour, hours=step.hours)
    (found,) = compare(Scenario(demand=demand, fleet=fleet), [OURS]).results
    # Little's law: what is asked for an hour, times the hours that each one stays.
    in_system = step.videos_per_hour * found.mean_s / 3600.0
    running = step.videos_per_hour * found.mean_compute_s / 3600.0
    return Scale(
        videos_per_hour=step.videos_per_hour,
        instances=found.most_instances,
        vcpus=found.most_instances * fleet.vcpus,
        usd_per_hour=found.usd_per_video * step.videos_per_hour,
        usd_per_video=found.usd_per_video,
        p95_min=found.p95_s / 60.0,
        in_flight=math.ceil(running),
        limits=_limits(
            Load(step.videos_per_hour / 3600.0, running, in_system, _steps_a_job(demand, fleet)),
            found.most_instances,
            fleet.vcpus,
        ),
    )


def _steps_a_job(demand: Demand, fleet: Fleet) -> float:
    steps = [video.steps for video in videos(tuple(demand.mix), fleet)]
    shares = list(demand.mix.values())
    return sum(count * share for count, share in zip(steps, shares, strict=True)) / sum(shares)


def _limits(load: Load, instances: int, vcpus: int) -> tuple[Limit, ...]:
    """Defaults: the quota pages of each service at docs.aws.amazon.com; EventBridge's is of us-east-2.

    An eventually consistent read unit is 8 KiB: a choice of work reads many records, a run of the planner or of the
    sweeper all that wait or run."""
    waiting = max(0.0, load.in_system - load.running)
    seen = min(WAITING_LIMIT, waiting) + min(RUNNING_LIMIT, load.running)
    wakes_per_s = min(load.jobs_per_s, 1 / WAKES_APART_S)
    whole_reads_per_s = wakes_per_s + 2 * TICKS_PER_S
    reads = (load.jobs_per_s * seen + whole_reads_per_s * load.in_system) * RECORD_KIB / 8.0
    writes = (load.jobs_per_s * WRITES_A_JOB + load.running / HEARTBEAT_S) * RECORD_KIB
    events = load.jobs_per_s * (EVENTS_A_JOB + load.steps_a_job)
    planner = wakes_per_s * (WAKES_APART_S + PLANNER_S) + TICKS_PER_S * PLANNER_S
    lambdas = load.jobs_per_s * API_S + planner + events * PUBLISHER_S
    rows = (
        ("Spot vCPUs, G and VT (L-3819A6DF)", "vCPU", instances * vcpus, 96, True),
        ("EC2 launches at once (RunInstances tokens; 2 more a second)", "instances", instances, 1_000, True),
        ("DynamoDB writes to one partition (index by_state)", "units/s", writes, 1_000, False),
        ("DynamoDB reads of one partition (index by_state)", "units/s", reads, 3_000, False),
        ("SQS messages in flight, if one model had all", "messages", load.running, 120_000, True),
        ("EventBridge PutEvents", "events/s", events, 2_400, True),
        ("Lambda concurrent executions", "executions", lambdas, 1_000, True),
    )
    limits = [
        Limit(name=name, unit=unit, used=round(used, 3), default=default, adjustable=adjustable)
        for name, unit, used, default, adjustable in rows
    ]
    return tuple(sorted(limits, key=lambda one: -one.share))


def main() -> None:
    """Simulates every step and writes the figures."""
    found = []
    for step in STEPS:
        sys.stderr.write(f"{step.videos_per_hour:g} videos an hour\n")
        found.append(scale(step).model_dump(mode="json"))
    FIGURES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
