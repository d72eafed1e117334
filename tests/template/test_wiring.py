"""The three doors and the clock end in the functions that handle them, by the names that the domain uses."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.queue import queue_name
from models.catalog import all_models
from tests.template.conftest import Synthesis


def _target(synthesis: Synthesis, rule: dict[str, Any]) -> str:
    (target,) = rule["Targets"]
    if target["Arn"]["Fn::GetAtt"][0] in synthesis.of_type("AWS::SQS::Queue"):
        return "queue"
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


def test_given_a_minute_when_it_comes_then_the_planner_is_called(production: Synthesis) -> None:
    (rule,) = _rules_for(production, "planner")

    assert rule["ScheduleExpression"] == "rate(1 minute)"


def test_given_jobs_when_they_come_together_then_the_planner_is_called_for_all_of_them_at_once(
    production: Synthesis,
) -> None:
    """A run reads the whole backlog: sixty runs for sixty jobs would learn no more than one, and drown the table."""
    mapping = _mapping_of(production, "planner")
    queue_id = mapping["EventSourceArn"]["Fn::GetAtt"][0]
    (rule,) = (
        rule
        for rule in production.of_type("AWS::Events::Rule").values()
        if rule["Targets"][0]["Arn"]["Fn::GetAtt"][0] == queue_id
    )

    assert rule["EventPattern"]["detail-type"] == ["Video Queued", "Video Interrupted"]
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (1000, 1)
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}


def test_given_a_minute_when_it_comes_then_the_sweeper_is_called(production: Synthesis) -> None:
    (rule,) = _rules_for(production, "sweeper")

    assert rule["ScheduleExpression"] == "rate(1 minute)"


def _mapping_of(synthesis: Synthesis, name: str) -> dict[str, Any]:
    functions = synthesis.of_type("AWS::Lambda::Function")
    (mapping,) = (
        mapping
        for mapping in synthesis.of_type("AWS::Lambda::EventSourceMapping").values()
        if functions[mapping["FunctionName"]["Ref"]]["Handler"] == f"lambdas.{name}.handler.handler"
    )
    return mapping


def test_given_the_end_of_a_video_when_told_then_the_webhooks_queue_gets_it_and_its_function_one_at_a_time(
    production: Synthesis,
) -> None:
    (rule,) = (
        rule
        for rule in production.of_type("AWS::Events::Rule").values()
        if "Video Failed" in rule.get("EventPattern", {}).get("detail-type", [])
        and "detail" not in rule["EventPattern"]
    )
    queue_id = rule["Targets"][0]["Arn"]["Fn::GetAtt"][0]
    mapping = _mapping_of(production, "webhooks")

    assert production.of_type("AWS::SQS::Queue")[queue_id]["QueueName"] == "revalida-webhooks"
    assert mapping["EventSourceArn"]["Fn::GetAtt"][0] == queue_id
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 1


def test_given_one_machine_for_everything_when_videos_end_then_few_processes_tell_of_it(
    production: Synthesis, local: Synthesis
) -> None:
    at_once = [_mapping_of(each, "webhooks")["ScalingConfig"]["MaximumConcurrency"] for each in (production, local)]

    assert at_once == [20, 2]


def test_given_production_when_deployed_then_no_network_but_the_internet_is_trusted(production: Synthesis) -> None:
    functions = production.of_type("AWS::Lambda::Function").values()
    ours = [each["Environment"]["Variables"] for each in functions if each["Handler"].startswith("lambdas.")]

    assert {variables["REVALIDA_TRUSTED_NETWORKS"] for variables in ours} == {"[]"}


def test_given_a_change_of_the_table_when_streamed_then_the_publisher_is_called(production: Synthesis) -> None:
    mapping = _mapping_of(production, "publisher")

    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert "MaximumRetryAttempts" not in mapping  # an event is promised for every change: no giving up early


def test_given_a_rule_when_its_function_fails_then_the_event_is_kept(production: Synthesis) -> None:
    by_event = [rule for rule in production.of_type("AWS::Events::Rule").values() if "EventPattern" in rule]

    assert [rule for rule in by_event if "DeadLetterConfig" not in rule["Targets"][0]] == []


def test_given_a_function_that_a_rule_calls_when_it_fails_three_times_then_the_event_is_kept(
    production: Synthesis,
) -> None:
    """The rule has delivered it by then."""
    rules = [rule for rule in production.of_type("AWS::Events::Rule").values() if "EventPattern" in rule]
    called = {target["Arn"]["Fn::GetAtt"][0] for rule in rules for target in rule["Targets"]}
    kept = {
        config["FunctionName"]["Ref"]
        for config in production.of_type("AWS::Lambda::EventInvokeConfig").values()
        if "Failures" in config["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
    }

    assert kept == called & production.of_type("AWS::Lambda::Function").keys()
    assert len(kept) == 3


@pytest.mark.parametrize("profile", ["production", "local"])
def test_given_the_functions_when_deployed_then_each_has_what_its_settings_ask_for(
    profile: str, request: pytest.FixtureRequest
) -> None:
    from jobs.settings import Settings
    from lambdas.planner.config import PlannerSettings
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
