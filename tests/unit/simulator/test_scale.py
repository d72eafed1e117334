"""docs/escala.md says what the figures say, and the figures say what the simulator says."""

import pytest

from gpu_agent import source
from gpu_agent.settings import AgentSettings
from lambdas.planner import turn
from simulator import scale as figures
from simulator.compare import compare
from simulator.policies import OURS
from simulator.scale import STEPS, Step, scale
from simulator.scale_document import DOCUMENT, load, render
from simulator.scenario import Scenario


def test_given_the_figures_when_rendered_anew_then_the_document_is_the_same() -> None:
    """Fails after a change of either: run `python -m simulator.scale_document` and read the diff."""
    assert render(*load()) == DOCUMENT.read_text(encoding="utf-8")


def test_given_the_default_scenario_when_simulated_anew_then_the_documents_figures_are_the_same() -> None:
    """Fails when planner, choice or estimates change what a video costs: write the document anew."""
    (now,) = compare(Scenario(), [OURS]).results
    then = load()[1].results[0]

    assert now.usd_per_video == pytest.approx(then.usd_per_video, rel=0.02)
    assert now.p95_s == pytest.approx(then.p95_s, rel=0.02)


@pytest.mark.parametrize("index", [0, 1])
def test_given_the_smaller_rates_when_simulated_anew_then_the_documents_figures_are_the_same(index: int) -> None:
    """Of the three: the largest takes minutes. Fails as the one above does: run `python -m simulator.scale` first."""
    now, then = scale(STEPS[index]), load()[0][index]

    assert (now.instances, now.in_flight) == (then.instances, then.in_flight)
    assert now.usd_per_video == pytest.approx(then.usd_per_video, rel=0.02)
    assert {one.name: one.used for one in now.limits} == pytest.approx(
        {one.name: one.used for one in then.limits}, rel=0.02, abs=0.002
    )


def test_given_a_tenfold_rate_then_about_tenfold_instances_and_the_limits_follow() -> None:
    few, many = scale(Step(40, 24.0)), scale(Step(400, 24.0))

    assert 4 <= many.instances / few.instances <= 10
    assert many.in_flight / few.in_flight == pytest.approx(10, rel=0.2)
    spot = {one.name: one for one in many.limits}["Spot vCPUs, G and VT (L-3819A6DF)"]
    assert spot.used == many.instances * 48
    assert [one.share for one in many.limits] == sorted((one.share for one in many.limits), reverse=True)


def test_given_what_a_job_does_to_the_table_then_the_figures_are_productions() -> None:
    """The simulator may not import the agent or the functions: it has copies, and they must not age."""
    assert AgentSettings.model_fields["heartbeat_s"].default == figures.HEARTBEAT_S
    assert (figures.WAITING_LIMIT, figures.RUNNING_LIMIT) == (source.WAITING_LIMIT, source.RUNNING_LIMIT)
    assert figures.WAKES_APART_S == turn.SPACING_S
