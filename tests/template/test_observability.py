"""Alarms and dashboard read metrics that our code really writes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from aws_lambda_powertools import Metrics

from lambdas.planner import telling
from tests.template.conftest import REPOSITORY, Synthesis

TOPICS = {
    "queue age by model": "OldestWaitS",
    "time to first frame": "TimeToVideo",
    "failures by reason": "JobsFailed",
    "GPU busy share": "BusyShare",
    "interruptions": "Interruptions",
    "steps lost": "StepsLost",
    "cost per video": "CostPerVideoUsd",
    "spend against limit": "MonthUsd",
    "dead letters": "ApproximateNumberOfMessagesVisible",
    "stalled jobs": "StalledJobs",
}


@pytest.mark.parametrize("topic", TOPICS)
def test_given_what_an_operator_asks_when_looking_then_the_dashboard_shows_it(
    topic: str, production: Synthesis
) -> None:
    (board,) = production.of_type("AWS::CloudWatch::Dashboard").values()

    assert TOPICS[topic] in json.dumps(board)


def test_given_an_api_that_answers_500_then_an_alarm_rings(production: Synthesis) -> None:
    """To Lambda a 500 is a success: its `Errors` do not count it."""
    alarms = [each for each in production.of_type("AWS::CloudWatch::Alarm").values() if each.get("MetricName") == "5xx"]

    (alarm,) = alarms
    assert (alarm["Namespace"], alarm["Statistic"], alarm["Threshold"]) == ("AWS/ApiGateway", "Sum", 1)
    assert alarm["Dimensions"][0]["Name"] == "ApiId"


def own_metrics(production: Synthesis) -> set[str]:
    """Names in our own namespace, of alarms and dashboard alike."""
    alarms = production.of_type("AWS::CloudWatch::Alarm").values()
    board = json.dumps([*production.of_type("AWS::CloudWatch::Dashboard").values()])
    named = {alarm["MetricName"] for alarm in alarms if alarm.get("Namespace") == "Revalida"}
    named |= set(re.findall(r'MetricName=[\\"]+(\w+)', board))
    return named | set(re.findall(r'\\"Revalida\\",\\"(\w+)\\"', board))


def test_given_a_metric_that_is_watched_when_looked_for_then_some_function_writes_it(production: Synthesis) -> None:
    sources = [*(REPOSITORY / "lambdas").rglob("*.py"), REPOSITORY / "jobs" / "outcome_metrics.py"]
    written = set(re.findall(r'"([A-Z]\w+)"', "\n".join(path.read_text(encoding="utf-8") for path in sources)))
    watched = own_metrics(production)

    assert len(watched) > 15
    assert watched - written == set()


def test_given_the_planners_metrics_when_written_then_they_carry_the_dimension_that_the_alarms_ask_for(
    production: Synthesis,
) -> None:
    """POWERTOOLS_SERVICE_NAME is the function's name, and so the dimension `service` of its metrics."""
    functions = [one for one in production.of_type("AWS::Lambda::Function").values() if "Environment" in one]
    names = {one["Environment"]["Variables"].get("POWERTOOLS_SERVICE_NAME") for one in functions}
    alarms = production.of_type("AWS::CloudWatch::Alarm").values()
    asked: list[Any] = [alarm["Dimensions"] for alarm in alarms if alarm.get("Namespace") == "Revalida"]

    assert {one["Value"] for each in asked for one in each if one["Name"] == "service"} <= names
    assert isinstance(telling.metrics, Metrics)
    assert telling.NAMESPACE == "Revalida"
