"""Third door: a `Video Requested` event; and the other end: `Video Completed` at an ordinary rule's queue."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.e2e.studio import REPOSITORY, Studio, wait_until

SCHEMAS = REPOSITORY / "docs" / "events"


@pytest.fixture
def listener(studio: Studio) -> Iterator[str]:
    """A queue attached with a plain rule on the bus, as an integrator would do it; yields its URL."""
    sqs, events = studio.aws("sqs"), studio.aws("events")
    name = f"listener-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = studio.stack["event_bus"]
    pattern = json.dumps({"source": ["revalida.video"]})
    events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    yield url
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=url)


def heard(studio: Studio, queue_url: str, job_id: str, events: list[dict[str, Any]]) -> bool:
    """Drain the queue into `events` (this job's alone); true once its last event came."""
    sqs = studio.aws("sqs")
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            event = json.loads(message["Body"])
            if event["detail"].get("job", {}).get("id") == job_id:
                events.append(event)
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return any(event["detail-type"] == "Video Completed" for event in events)


def schema_of(detail_type: str) -> dict[str, Any]:
    path: Path = SCHEMAS / f"{detail_type.lower().replace(' ', '-')}.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text())
    return schema


def test_a_job_tells_its_whole_story_on_the_bus(studio: Studio, listener: str) -> None:
    video = studio.openai().videos.create(
        model="wan-mini",
        prompt="a red circle",
        size="128x128",
        seconds="1",
        extra_body={"metadata": {"scene": "12", "ação": "abertura"}},
    )
    events: list[dict[str, Any]] = []

    wait_until(lambda: heard(studio, listener, video.id, events), what="Video Completed")

    for event in events:
        jsonschema.validate(event["detail"], schema_of(event["detail-type"]))
        assert event["detail"]["metadata"] == {"scene": "12", "ação": "abertura"}
    # Publishing is at least once: an event that comes again has the same id.
    kinds = list({event["detail"]["event_id"]: event["detail-type"] for event in events}.values())
    assert {"Video Queued", "Video Started", "Video Progressed", "Video Completed"} <= set(kinds)
    assert kinds.count("Video Completed") == 1


def test_video_requested_event_is_a_third_door(studio: Studio, listener: str) -> None:
    prompt = f"a purple star, request {uuid.uuid4().hex[:8]}"
    entry = {
        "EventBusName": studio.stack["event_bus"],
        "Source": "studio.integrator",
        "DetailType": "Video Requested",
        "Detail": json.dumps({"prompt": prompt, "model": "wan-mini", "size": "128x128", "seconds": 1}),
    }
    assert studio.aws("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def accepted() -> Any:
        return next((job for job in studio.openai().videos.list(limit=50) if job.prompt == prompt), None)

    job = wait_until(accepted, what="the requested job")
    events: list[dict[str, Any]] = []
    wait_until(lambda: heard(studio, listener, job.id, events), what="Video Completed")
