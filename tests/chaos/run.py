"""One chaos run: the local system comes up, jobs enter by its doors, faults strike the agents, then the checks."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jobs.states import is_terminal
from models import tiny
from tests.chaos.checks import Findings, examine
from tests.chaos.inject import Injector
from tests.chaos.ledger import read_changes
from tests.chaos.machines import Fleet
from tests.chaos.plan import Fault, Plan
from tests.chaos.reference import MODEL, SEEDS, digest_of, request_of
from tests.chaos.world.doors import Doors, Request
from tests.chaos.world.emulator import REPOSITORY, LocalAws
from tests.chaos.world.subscriber import Subscriber
from tests.e2e.studio import Studio, running

OWNERS = ("ana", "bruno")  # of the API's share; the other doors' jobs are the default owner's
DOORS = 3
LOOK_S = 0.3
SETTLE_S = 3.0
TOLD_LIMIT_S = 60.0
REFERENCE_LIMIT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Report:
    plan: Plan
    injected: Counter[str]
    findings: Findings


def run_plan(plan: Plan, directory: Path, *, mutant: str | None = None, limit_s: float) -> Report:
    """Run `plan`; jobs that have not ended `limit_s` seconds after the first fault are breaches."""
    clock = _Clock()
    weights = directory / "weights" / MODEL
    weights.parent.mkdir(parents=True)
    # UniPC keeps a history, which a checkpoint without the scheduler's state would lose.
    tiny.wan(weights, two_experts=True, euler=False)
    # The run brings its own agents: each behind a relay that fails calls and a metadata service that gives notice.
    with (
        _references(weights, directory) as making,
        running(directory / "local", settings={"REVALIDA_LOCAL_AGENTS": "false"}) as studio,
    ):
        aws = _aws_of(studio)
        clock.note("seconds until the system was up")
        _one_planner(aws)
        subscriber = Subscriber(aws, event_bus=str(studio.stack["event_bus"]))
        fleet = Fleet(aws=aws, directory=directory, mutant=mutant)
        try:
            job_ids = _submit_all(studio, aws, plan)
            clock.note("seconds until every job was accepted")
            references = _finished(making, directory)
            fleet.start(plan.num_agents)
            injected = _live_through(plan, fleet, job_ids, limit_s)
            clock.note("seconds under faults")
            findings = _examine(aws, job_ids, references, subscriber)
        finally:
            fleet.close()
            subscriber.close()
    findings.figures |= _figures(fleet, subscriber) | clock.noted
    return Report(plan=plan, injected=injected, findings=findings)


class _Clock:
    """Notes how long each part took."""

    def __init__(self) -> None:
        self.noted: dict[str, float] = {}
        self._since_s = time.monotonic()

    def note(self, name: str) -> None:
        at_s = time.monotonic()
        self.noted[name] = round(at_s - self._since_s, 1)
        self._since_s = at_s


def _aws_of(studio: Studio) -> LocalAws:
    return LocalAws(
        endpoint=str(studio.stack["aws_endpoint"]),
        prefix=str(studio.stack["queue_prefix"]),
        table=str(studio.stack["table"]),
        bucket=studio.media_bucket,
    )


def _one_planner(aws: LocalAws) -> None:
    """As production reserves it: each queued job would start a planner of its own, and two cores drown in them."""
    aws.client("lambda").put_function_concurrency(FunctionName=f"{aws.prefix}-planner", ReservedConcurrentExecutions=1)


@contextmanager
def _references(weights: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The undisturbed videos, made in a process of their own while the system comes up."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.reference", str(weights), str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


def _finished(making: subprocess.Popen[bytes], folder: Path) -> dict[int, str]:
    assert making.wait(REFERENCE_LIMIT_S) == 0, "the undisturbed videos could not be made"
    return {seed: digest_of((folder / f"{seed}.mp4").read_bytes()) for seed in SEEDS}


def _submit_all(studio: Studio, aws: LocalAws, plan: Plan) -> list[str]:
    """A third through each door. More jobs than were asked for would mean that a repeated request made a second one."""
    requests: list[Request] = [request_of(SEEDS[number % len(SEEDS)]) for number in range(plan.num_jobs)]
    by_api, by_folder, by_bus = (requests[number::DOORS] for number in range(DOORS))
    doors = Doors(aws, api_base=studio.api_base, event_bus=str(studio.stack["event_bus"]))
    for number, owner in enumerate(OWNERS):
        doors.through_api(by_api[number :: len(OWNERS)], owner=owner)
    doors.through_folder(by_folder, name="chaos")
    doors.through_bus(by_bus, name="chaos")
    doors.jobs_of_bus(at_least=len(by_bus))
    store = aws.store()
    found = [job.id for owner in (*OWNERS, "default") for job in store.list(owner, limit=10 * plan.num_jobs).jobs]
    assert len(found) == plan.num_jobs, f"{plan.num_jobs} requests made {len(found)} jobs"
    return found


def _live_through(plan: Plan, fleet: Fleet, job_ids: list[str], limit_s: float) -> Counter[str]:
    """Inject the faults at their times until every job has ended or the time is up."""
    injector = Injector(fleet, plan.seed)
    injected: Counter[str] = Counter()
    waiting: list[Fault] = list(plan.faults)
    began_s = time.monotonic()
    while time.monotonic() - began_s < limit_s:
        while waiting and time.monotonic() - began_s >= waiting[0].at_s:
            fault = waiting.pop(0)
            injected[fault.kind] += injector.inject(fault)
        fleet.replace_ended()
        if not waiting and _all_over(fleet.aws, job_ids):
            time.sleep(SETTLE_S)  # for what is still on its way from the dead
            break
        time.sleep(LOOK_S)
    return injected


def _all_over(aws: LocalAws, job_ids: list[str]) -> bool:
    store = aws.store()
    return aws.queues().depth(MODEL).total == 0 and all(is_terminal(store.get(one).status) for one in job_ids)


def _examine(aws: LocalAws, job_ids: list[str], references: Mapping[int, str], subscriber: Subscriber) -> Findings:
    final = [aws.store().get(one) for one in job_ids]
    limit_s = time.monotonic() + TOLD_LIMIT_S
    while time.monotonic() < limit_s and not all(subscriber.completions(one) for one in job_ids):
        time.sleep(LOOK_S)
    return examine(aws, final, read_changes(aws), references, subscriber)


def _figures(fleet: Fleet, subscriber: Subscriber) -> dict[str, float]:
    found: Counter[str] = Counter({"instances started": fleet.started, "events delivered": subscriber.deliveries})
    for machine in fleet.machines:
        found.update(machine.relay.counts)
    return dict(found)
