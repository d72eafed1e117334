"""The rules to copy from the events guide match the events that they are said to match, and no others."""

import json
from typing import Any

import pytest
from moto.events.models import EventPattern

from jobs.events import RequestedDetail
from knowledge.load import ROOT
from tests.unit.knowledge.guides import titled

EXAMPLES = ROOT / "docs" / "events"


def example(kind: str, **detail: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EXAMPLES / f"video-{kind}.example.json").read_text(encoding="utf-8"))
    event["detail"] |= detail
    return event


def matches(rule: str, event: dict[str, Any]) -> bool:
    return bool(EventPattern.load(titled(rule).text).matches_event(event))


def test_given_the_campaign_s_rule_when_its_video_ends_then_it_matches() -> None:
    assert matches("rule-campaign.json", example("completed", metadata={"campaign": "summer"}))
    assert matches("rule-campaign.json", example("failed", metadata={"campaign": "summer"}))


def test_given_the_campaign_s_rule_when_another_video_ends_or_this_one_begins_then_it_does_not() -> None:
    assert not matches("rule-campaign.json", example("completed", metadata={"campaign": "winter"}))
    assert not matches("rule-campaign.json", example("started", metadata={"campaign": "summer"}))


@pytest.mark.parametrize(("usd", "dear"), [(1.5, True), (0.4, False)])
def test_given_the_rule_of_dear_videos_when_one_ends_then_its_cost_decides(usd: float, dear: bool) -> None:
    assert matches("rule-expensive.json", example("completed", cost_usd=usd)) is dear


def test_given_the_rule_of_interruptions_when_events_pass_then_only_those_match() -> None:
    assert matches("rule-interrupted.json", example("interrupted"))
    assert not matches("rule-interrupted.json", example("resumed"))


@pytest.mark.parametrize(
    ("kind", "ended"), [("completed", True), ("failed", True), ("cancelled", False), ("queued", False)]
)
def test_given_the_rule_of_ended_videos_when_events_pass_then_ends_match(kind: str, ended: bool) -> None:
    assert matches("rule-ended.json", example(kind)) is ended


def test_given_the_example_event_of_the_guide_when_compared_then_the_real_one_has_all_its_fields() -> None:
    shown = json.loads(titled("completed.json").text)
    real = example("completed")
    assert shown.keys() <= real.keys()
    assert shown["detail"].keys() == real["detail"].keys()
    assert shown["detail"]["job"].keys() <= real["detail"]["job"].keys()
    assert shown["detail"]["outputs"].keys() == real["detail"]["outputs"].keys()


def test_given_the_request_of_the_guide_when_it_comes_as_an_event_then_it_is_a_request() -> None:
    detail = RequestedDetail.model_validate_json(titled("requested.json").text)
    assert detail.request_id == "order-4711"
