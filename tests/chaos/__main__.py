"""`python -m tests.chaos`: a seeded run of faults against real agents; prints a table, exits 1 on any breach."""

import argparse
import signal
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.chaos.mutants import MUTANTS
from tests.chaos.narrate import say
from tests.chaos.plan import Plan, draw_plan
from tests.chaos.run import Report, run_on, run_plan
from tests.chaos.stage import staged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=150)
    parser.add_argument("--agents", type=int, default=3)
    parser.add_argument("--faults", type=int, default=24)
    parser.add_argument("--long-every", type=int, default=5, help="every how many jobs one is long")
    parser.add_argument("--limit-s", type=float, default=3600.0)
    parser.add_argument("--all-mutants", action="store_true", help="each must make the run fail")
    parser.add_argument("--keep", metavar="FOLDER", help="a new folder to leave the agents' logs in")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    plan = draw_plan(
        asked.seed,
        num_jobs=asked.jobs,
        num_agents=asked.agents,
        num_faults=asked.faults,
        long_every=asked.long_every,
    )
    with _folder(asked.keep) as folder:
        if asked.all_mutants:
            return run_mutants(plan, Path(folder), limit_s=asked.limit_s)
        report = run_plan(plan, Path(folder), limit_s=asked.limit_s)
        show(report)
        return 0 if report.passed else 1


def run_mutants(plan: Plan, directory: Path, *, limit_s: float) -> int:
    """The plan with whole agents, which must pass, and then with each defect, which must not."""
    with staged(directory) as stage:
        control = run_on(stage, plan, limit_s=limit_s)
        show(control)
        killed = {}
        for name in MUTANTS:
            report = run_on(stage, plan, mutant=name, limit_s=limit_s)
            killed[name] = bool(report.findings.breaches)
            print(f"mutant {name}:")
            show(report)
    print(f"whole agents: {'passed' if control.passed else 'FAILED'}")
    for name, is_killed in killed.items():
        print(f"mutant {name}: {'killed' if is_killed else 'SURVIVED'}")
    return 0 if control.passed and all(killed.values()) else 1


def _end(number: int, frame: object) -> None:
    """As an exception, so that emulator and agents end with the run."""
    del frame
    say(f"ended from outside by signal {number}: nothing was checked")
    sys.exit(128 + number)


def _folder(keep: str | None) -> AbstractContextManager[str]:
    return nullcontext(keep) if keep else tempfile.TemporaryDirectory(prefix="revalida-chaos-")


def show(report: Report) -> None:
    """The table."""
    print(f"seed {report.plan.seed}: {report.plan.num_jobs} jobs, {report.plan.num_agents} agents")
    for kind, number in sorted(report.injected.items()):
        print(f"  {kind:40} {number:6d}")
    for name, figure in report.findings.figures.items():
        print(f"  {name:40} {figure:6g}")
    for breach in report.findings.breaches:
        print(f"  BREACH {breach}")
    for kind in report.unmet:
        print(f"  NOTHING MET {kind}")
    print("  every promise held" if report.passed else f"  {len(report.findings.breaches)} breaches")


if __name__ == "__main__":
    sys.exit(main())
