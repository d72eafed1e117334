"""The short seed of `make chaos`, and that a plan repeats."""

from pathlib import Path

from tests.chaos.plan import ALWAYS, draw_plan
from tests.chaos.run import run_plan

SHORT_SEED = 1
LIMIT_S = 400.0  # far more than it takes: two cores shared with other tests


def test_given_a_seed_then_the_plan_repeats_and_has_the_faults_that_matter_most() -> None:
    first, again, other = (
        draw_plan(seed, num_jobs=5, num_agents=3, num_faults=9, long_every=2) for seed in (SHORT_SEED, SHORT_SEED, 2)
    )
    assert first == again != other
    assert set(ALWAYS) <= {fault.kind for fault in first.faults}


def test_given_faults_of_every_important_kind_then_every_promise_holds(tmp_path: Path) -> None:
    plan = draw_plan(SHORT_SEED, num_jobs=8, num_agents=3, num_faults=4, long_every=1)

    report = run_plan(plan, tmp_path, limit_s=LIMIT_S)

    assert report.findings.breaches == []
    assert report.unmet == ()
