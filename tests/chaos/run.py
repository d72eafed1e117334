"""One chaos run: undisturbed references first, then jobs and faults side by side, then the checks."""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.job import Job
from jobs.states import is_terminal
from models import tiny
from tests.chaos.checks import Findings, digest_of, examine
from tests.chaos.inject import Injector
from tests.chaos.ledger import read_changes
from tests.chaos.machines import Fleet
from tests.chaos.plan import Fault, Plan
from tests.chaos.world.agents import ended, start_agent, submit
from tests.chaos.world.emulator import LocalAws, emulator, make_resources

SEEDS = (11, 12)  # of the requests: each has one undisturbed reference
STEPS = 50
OWNERS = ("ana", "bruno", "clara")
LOOK_S = 0.3
SETTLE_S = 3.0


@dataclass(frozen=True, kw_only=True)
class Report:
    plan: Plan
    injected: Counter[str]
    findings: Findings


def run_plan(plan: Plan, directory: Path, *, mutant: str | None = None, limit_s: float) -> Report:
    """Run `plan`; jobs that have not ended `limit_s` seconds after the first fault are breaches."""
    weights = directory / "weights" / "wan-mini"
    weights.parent.mkdir(parents=True)
    # UniPC keeps a history, which a checkpoint without the scheduler's state would lose.
    tiny.wan(weights, two_experts=True, euler=False)
    with emulator(directory / "aws") as endpoint:
        aws = LocalAws(endpoint=endpoint, prefix="chaos")
        make_resources(aws)
        references = _references(aws, directory)
        fleet = Fleet(aws=aws, directory=directory, mutant=mutant)
        try:
            jobs = _submit_all(aws, plan)
            fleet.start(plan.num_agents)
            injected = _live_through(plan, fleet, jobs, limit_s)
            final = [aws.store().get(job.id) for job in jobs]
            findings = examine(aws, final, read_changes(aws), references)
            findings.figures["instances started"] = fleet.started
            for machine in fleet.machines:
                for what, number in machine.relay.counts.items():
                    findings.figures[what] = findings.figures.get(what, 0) + number
        finally:
            fleet.close()
    return Report(plan=plan, injected=injected, findings=findings)


def _request(seed: int) -> dict[str, Any]:
    return {"seed": seed, "num_inference_steps": STEPS, "size": "96x160", "num_frames": 17}


def _references(aws: LocalAws, directory: Path) -> dict[int, str]:
    agent = start_agent(aws, directory, "i-reference")
    try:
        jobs = {seed: submit(aws, **_request(seed)) for seed in SEEDS}
        return {seed: digest_of(aws, ended(aws, job)) for seed, job in jobs.items()}
    finally:
        agent.close()


def _submit_all(aws: LocalAws, plan: Plan) -> list[Job]:
    return [
        submit(aws, owner=OWNERS[number % len(OWNERS)], **_request(SEEDS[number % len(SEEDS)]))
        for number in range(plan.num_jobs)
    ]


def _live_through(plan: Plan, fleet: Fleet, jobs: list[Job], limit_s: float) -> Counter[str]:
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
        if not waiting and _all_over(fleet.aws, jobs):
            time.sleep(SETTLE_S)  # for what is still on its way from the dead
            break
        time.sleep(LOOK_S)
    return injected


def _all_over(aws: LocalAws, jobs: list[Job]) -> bool:
    return aws.queues().depth("wan-mini").total == 0 and all(
        is_terminal(aws.store().get(job.id).status) for job in jobs
    )
