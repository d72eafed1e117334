"""One chaos run: jobs enter by all doors, faults strike the agents, then the checks."""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from jobs.states import State, is_terminal
from tests.chaos.checks import Findings, examine
from tests.chaos.inject import Injector
from tests.chaos.ledger import read_changes
from tests.chaos.machines import Fleet
from tests.chaos.narrate import Clock, say
from tests.chaos.plan import Fault, Kind, Plan
from tests.chaos.reference import MODEL, request_of, seed_of
from tests.chaos.stage import Stage, staged
from tests.chaos.world.doors import Doors, Request
from tests.chaos.world.emulator import LocalAws
from tests.chaos.world.proxy import LATE, wait_until

OWNERS = ("ana", "bruno")  # of the API's share; the other doors' jobs are the default owner's
DOORS = 3
LOOK_S = 1.0
SETTLE_S = 3.0
TELL_S = 15.0
TOLD_LIMIT_S = 300.0  # the publisher may have a backlog on a busy machine


@dataclass(frozen=True, kw_only=True)
class Report:
    """`unmet`: faults that found nothing to strike, so that the run proved less than it was to."""

    plan: Plan
    injected: Counter[str]
    unmet: tuple[str, ...]
    findings: Findings

    @property
    def passed(self) -> bool:
        return not self.findings.breaches and not self.unmet


def run_plan(plan: Plan, directory: Path, *, limit_s: float) -> Report:
    """Run `plan` on a stage of its own, in the new folder `directory`."""
    with staged(directory) as stage:
        return run_on(stage, plan, limit_s=limit_s)


def run_on(stage: Stage, plan: Plan, *, mutant: str | None = None, limit_s: float) -> Report:
    """Run `plan`; jobs that have not ended `limit_s` seconds after the agents' start are breaches.

    A stage is left as it was found: no job of the run is under way, no message of it in the queue."""
    clock = Clock()
    name = mutant or "chaos"
    fleet = Fleet(aws=stage.aws, directory=stage.directory / name, mutant=mutant)
    try:
        job_ids = _submit_all(stage, plan, name)
        clock.note("seconds until every job was accepted")
        fleet.start(plan.num_agents)
        injected = _live_through(plan, fleet, job_ids, limit_s)
        clock.note("seconds under faults")
        findings = _examine(stage, job_ids)
    finally:
        fleet.close()
    _clear(stage.aws, job_ids)
    findings.figures |= _figures(fleet, stage) | clock.noted
    unmet = tuple(sorted({fault.kind for fault in plan.faults if not injected[fault.kind]}))
    return Report(plan=plan, injected=injected, unmet=unmet, findings=findings)


def _submit_all(stage: Stage, plan: Plan, name: str) -> list[str]:
    """A third through each door. More jobs than were asked for would mean that a repeated request made a second one."""
    seeds = [seed_of(number, long_every=plan.long_every) for number in range(plan.num_jobs)]
    requests: list[Request] = [request_of(seed) for seed in seeds]
    by_api, by_folder, by_bus = (requests[number::DOORS] for number in range(DOORS))
    before = _all_jobs(stage.aws)
    doors = Doors(stage.aws, api_base=stage.api_base, event_bus=stage.event_bus)
    for number, owner in enumerate(OWNERS):
        doors.through_api(by_api[number :: len(OWNERS)], owner=owner, name=name)
    doors.through_folder(by_folder, name=name)
    doors.through_bus(by_bus, name=name)
    found = sorted(_all_jobs(stage.aws) - before)
    assert len(found) == plan.num_jobs, f"{plan.num_jobs} requests made {len(found)} jobs"
    return found


def _all_jobs(aws: LocalAws) -> set[str]:
    store = aws.store()
    return {job.id for owner in (*OWNERS, "default") for job in store.list(owner, limit=100_000).jobs}


def _live_through(plan: Plan, fleet: Fleet, job_ids: list[str], limit_s: float) -> Counter[str]:
    """Inject each fault when its number of jobs has ended, until all have or the time is up."""
    injector = Injector(fleet, plan.seed)
    injected: Counter[str] = Counter()
    waiting: list[Fault] = list(plan.faults)
    told_s = began_s = time.monotonic()
    while time.monotonic() - began_s < limit_s:
        still_open = fleet.tend()
        num_ended = len(job_ids) - len(still_open)
        if waiting and num_ended >= waiting[0].after_jobs:
            fault = waiting.pop(0)
            done = injector.inject(fault)
            injected[fault.kind] += done
            say(f"{fault.kind}, agent {fault.agent}" if done else f"nothing there for: {fault.kind}")
        if time.monotonic() - told_s >= TELL_S:
            told_s = time.monotonic()
            say(f"{num_ended} of {len(job_ids)} jobs have ended, {fleet.started} instances so far")
        if not still_open and _all_over(fleet.aws, job_ids):
            time.sleep(SETTLE_S)  # for what is still on its way from the dead
            break
        time.sleep(LOOK_S)
    # A relay that is told to hold a completion back may find none, or nobody who takes the job over.
    injected[Kind.LATE_COMPLETION] = sum(machine.relay.counts.get(LATE, 0) for machine in fleet.machines)
    return injected


def _all_over(aws: LocalAws, job_ids: list[str]) -> bool:
    store = aws.store()
    return aws.queues().depth(MODEL).total == 0 and all(is_terminal(store.get(one).status) for one in job_ids)


def _examine(stage: Stage, job_ids: list[str]) -> Findings:
    final = [stage.aws.store().get(one) for one in job_ids]
    done = [job.id for job in final if job.status is State.COMPLETED]
    wait_until(lambda: all(map(stage.subscriber.completions, done)), limit_s=TOLD_LIMIT_S)
    return examine(stage.aws, final, read_changes(stage.aws), stage.references, stage.subscriber)


def _clear(aws: LocalAws, job_ids: list[str]) -> None:
    store = aws.store()
    for job in map(store.get, job_ids):
        if not is_terminal(job.status):
            store.delete(job.id, owner=job.owner)
    aws.client("sqs").purge_queue(QueueUrl=aws.queues().url(MODEL))


def _figures(fleet: Fleet, stage: Stage) -> dict[str, float]:
    found: Counter[str] = Counter(
        {"instances started": fleet.started, "events delivered so far": stage.subscriber.deliveries}
    )
    for machine in fleet.machines:
        found.update(machine.relay.counts)
    return dict(found)
