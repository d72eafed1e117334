"""The three doors and the clock end in the functions that handle them, by the names that the domain uses."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.queue import queue_name
from models.catalog import all_models
from tests.template.conftest import Synthesis


def _target(synthesis: Synthesis, rule: dict[str, Any]) -> str:
    (target,) = rule["Targets"]
    function = synthesis.of_type("AWS::Lambda::Function")[target["Arn"]["Fn::GetAtt"][0]]
    return str(function["Handler"])


def _rules_for(synthesis: Synthesis, name: str) -> list[dict[str, Any]]:
    handler = f"lambdas.{name}.handler.handler"
    return [rule for rule in synthesis.of_type("AWS::Events::Rule").values() if _target(synthesis, rule) == handler]


def test_given_the_catalog_when_deployed_then_each_model_has_the_queue_that_the_domain_looks_for(
    production: Synthesis,
) -> None:
    names = {queue["QueueName"] for queue in production.of_type("AWS::SQS::Queue").values()}

    assert {queue_name("revalida", spec.id) for spec in all_models()} <= names


def test_given_an_object_in_the_inbox_when_created_then_the_drop_folder_is_called(production: Synthesis) -> None:
    (rule,) = _rules_for(production, "drop_folder")

    assert rule["EventPattern"]["detail"]["object"] == {"key": [{"prefix": "inbox/"}]}
    assert "EventBusName" not in rule  # S3 sends to the default bus
    (media,) = (b for b in production.of_type("AWS::S3::Bucket").values() if "NotificationConfiguration" in b)
    assert media["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_given_an_event_when_a_video_is_requested_then_the_third_door_is_called(production: Synthesis) -> None:
    (rule,) = _rules_for(production, "video_requested")

    assert rule["EventPattern"] == {"detail-type": ["Video Requested"]}
    assert rule["EventBusName"]


def test_given_work_or_a_minute_when_it_comes_then_the_planner_is_called(production: Synthesis) -> None:
    rules = _rules_for(production, "planner")

    assert {rule.get("ScheduleExpression") for rule in rules} == {None, "rate(1 minute)"}
    (on_event,) = (rule for rule in rules if "EventPattern" in rule)
    assert on_event["EventPattern"]["detail-type"] == ["Video Queued", "Video Interrupted"]


def test_given_a_minute_when_it_comes_then_the_sweeper_is_called(production: Synthesis) -> None:
    (rule,) = _rules_for(production, "sweeper")

    assert rule["ScheduleExpression"] == "rate(1 minute)"


def test_given_a_change_of_the_table_when_streamed_then_the_publisher_is_called(production: Synthesis) -> None:
    (mapping,) = production.of_type("AWS::Lambda::EventSourceMapping").values()
    function = production.of_type("AWS::Lambda::Function")[mapping["FunctionName"]["Ref"]]

    assert function["Handler"] == "lambdas.publisher.handler.handler"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert "MaximumRetryAttempts" not in mapping  # an event is promised for every change: no giving up early


def test_given_a_rule_when_its_function_fails_then_the_event_is_kept(production: Synthesis) -> None:
    by_event = [rule for rule in production.of_type("AWS::Events::Rule").values() if "EventPattern" in rule]

    assert [rule for rule in by_event if "DeadLetterConfig" not in rule["Targets"][0]] == []


@pytest.mark.parametrize("profile", ["production", "local"])
def test_given_the_functions_when_deployed_then_each_has_what_its_settings_ask_for(
    profile: str, request: pytest.FixtureRequest
) -> None:
    from jobs.settings import Settings
    from lambdas.planner.handler import PlannerSettings
    from lambdas.sweeper.handler import SweeperSettings

    synthesis: Synthesis = request.getfixturevalue(profile)
    asked = {
        f"REVALIDA_{field.upper()}"
        for settings in (Settings, PlannerSettings, SweeperSettings)
        for field, definition in settings.model_fields.items()
        if definition.is_required()
    }

    for function in synthesis.of_type("AWS::Lambda::Function").values():
        if function["Handler"].startswith("lambdas."):
            assert asked <= set(function["Environment"]["Variables"]), function["Handler"]
