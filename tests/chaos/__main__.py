"""`python -m tests.chaos`: a seeded run of faults against real agents; prints a table, exits 1 on any breach."""

import argparse
import signal
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.chaos.mutants import MUTANTS
from tests.chaos.plan import draw_plan
from tests.chaos.run import Report, run_plan


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=150)
    parser.add_argument("--agents", type=int, default=3)
    parser.add_argument("--faults", type=int, default=40)
    parser.add_argument("--spacing-s", type=float, default=12.0)
    parser.add_argument("--limit-s", type=float, default=1800.0)
    parser.add_argument("--mutant", choices=sorted(MUTANTS))
    parser.add_argument("--all-mutants", action="store_true", help="each must make the run fail")
    parser.add_argument("--keep", metavar="FOLDER", help="a new folder to leave the agents' logs in")
    asked = parser.parse_args()
    # As an exception, so that emulator and agents end with the run.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    plan = draw_plan(
        asked.seed,
        num_jobs=asked.jobs,
        num_agents=asked.agents,
        num_faults=asked.faults,
        spacing_s=asked.spacing_s,
    )
    with _folder(asked.keep) as folder:
        if not asked.all_mutants:
            report = run_plan(plan, Path(folder), mutant=asked.mutant, limit_s=asked.limit_s)
            show(report)
            return 1 if report.findings.breaches else 0
        survivors = []
        for name in MUTANTS:
            report = run_plan(plan, Path(folder) / name, mutant=name, limit_s=asked.limit_s)
            print(f"mutant {name}: {'killed' if report.findings.breaches else 'SURVIVED'}")
            show(report)
            survivors += [] if report.findings.breaches else [name]
        return 1 if survivors else 0


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
    print("  every promise held" if not report.findings.breaches else f"  {len(report.findings.breaches)} breaches")


if __name__ == "__main__":
    sys.exit(main())
