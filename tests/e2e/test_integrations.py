"""The integrations of the events guide, as a reader would set them up: a queue, a workflow, Slack; and a replay."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.studio import Studio, wait_until
from tests.receiver import Receiver
from tests.unit.knowledge.guides import titled

ROLE = "arn:aws:iam::000000000000:role/integrations"


@pytest.fixture
def rules(studio: Studio) -> Iterator[list[str]]:
    """The names of the rules that a test makes; they go with it."""
    made: list[str] = []
    yield made
    events, bus = studio.aws("events"), studio.stack["event_bus"]
    for name in made:
        targets = events.list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"]
        events.remove_targets(Rule=name, EventBusName=bus, Ids=[target["Id"] for target in targets])
        events.delete_rule(Name=name, EventBusName=bus)


def filled_in(title: str, **values: str) -> str:
    text = titled(title).text
    for placeholder, value in values.items():
        assert placeholder in text
        text = text.replace(placeholder, value)
    return text


def follow(studio: Studio, name: str, *, rule: str, targets: str) -> None:
    """A rule on the studio's bus by a pattern of the guide, and its targets."""
    events, bus = studio.aws("events"), studio.stack["event_bus"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=titled(rule).text)
    failed = events.put_targets(Rule=name, EventBusName=bus, Targets=json.loads(targets))["FailedEntryCount"]
    assert failed == 0


def queue(studio: Studio, name: str) -> str:
    """A queue for the campaign's videos; returns its URL."""
    sqs = studio.aws("sqs")
    url = str(sqs.create_queue(QueueName=name)["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    follow(studio, name, rule="rule-campaign.json", targets=json.dumps([{"Id": "queue", "Arn": arn}]))
    return url


def received(studio: Studio, url: str, video_id: str) -> dict[str, Any] | None:
    """The next event of the video in the queue."""
    sqs = studio.aws("sqs")
    for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        event: dict[str, Any] = json.loads(message["Body"])
        if event["detail"]["job"]["id"] == video_id:
            return event
    return None


def workflow(studio: Studio) -> str:
    """The state machine, and the table in which it notes what it has seen; returns its ARN."""
    studio.aws("dynamodb").create_table(
        TableName="events-seen",
        KeySchema=[{"AttributeName": "event_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "event_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    made = studio.aws("stepfunctions").create_state_machine(
        name="videos", roleArn=ROLE, definition=titled("workflow.json").text
    )
    values = {"STATE_MACHINE_ARN": made["stateMachineArn"], "ROLE_ARN": ROLE}
    follow(studio, "workflow", rule="rule-ended.json", targets=filled_in("targets-step-functions.json", **values))
    return str(made["stateMachineArn"])


def seen(studio: Studio) -> list[str]:
    return [item["event_id"]["S"] for item in studio.aws("dynamodb").scan(TableName="events-seen")["Items"]]


def runs(studio: Studio, machine: str, video_id: str) -> list[str]:
    """How the workflow's runs on this video ended, or `RUNNING`; other tests' videos may have started some, too."""
    workflows = studio.aws("stepfunctions")
    found = workflows.list_executions(stateMachineArn=machine)["executions"]
    told = [workflows.describe_execution(executionArn=run["executionArn"]) for run in found]
    return [run["status"] for run in told if video_id in run["input"]]


def slack(studio: Studio, url: str) -> None:
    """An API destination that posts to `url`."""
    events = studio.aws("events")
    connection = events.create_connection(
        Name="slack",
        AuthorizationType="API_KEY",
        AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": "X-From", "ApiKeyValue": "revalida-video"}},
    )
    destination = events.create_api_destination(
        Name="slack", ConnectionArn=connection["ConnectionArn"], HttpMethod="POST", InvocationEndpoint=url
    )
    values = {"API_DESTINATION_ARN": destination["ApiDestinationArn"], "ROLE_ARN": ROLE}
    follow(studio, "slack", rule="rule-ended.json", targets=filled_in("targets-slack.json", **values))


def archive(studio: Studio) -> tuple[str, str]:
    """What production's template has and the local one has not; returns the ARNs of the archive and of the bus."""
    events, name = studio.aws("events"), studio.stack["event_bus"]
    bus = str(events.describe_event_bus(Name=name)["Arn"])
    pattern = json.dumps({"source": ["revalida.video"]})
    made = events.create_archive(ArchiveName="all", EventSourceArn=bus, EventPattern=pattern, RetentionDays=1)
    return str(made["ArchiveArn"]), bus


def test_the_integrations_of_the_guide_hear_of_a_video_and_a_replay_tells_no_webhook_again(
    studio: Studio, receiver: Receiver, rules: list[str]
) -> None:
    rules += ["campaign", "workflow", "slack"]
    client = studio.openai()
    url = queue(studio, "campaign")
    machine = workflow(studio)
    slack(studio, f"{receiver.url}/slack")
    archived, bus = archive(studio)
    webhook = client.webhooks.create(name="all", url=f"{receiver.url}/webhook", event_types=["video.completed"])
    began = time.time() - 1

    video = client.videos.create(
        model="wan-mini", prompt="a red circle", size="128x128", extra_body={"metadata": {"campaign": "summer"}}
    )

    event = wait_until(lambda: received(studio, url, video.id), what="the queue's event")
    event_id = event["detail"]["event_id"]
    wait_until(lambda: event_id in seen(studio), what="the workflow")
    wait_until(lambda: len(told(receiver, video.id)) >= 2, what=lambda: f"both: {receiver.got}")
    assert {"text": f"{video.id} (wan-mini): completed"} in told(receiver, video.id)

    studio.aws("events").start_replay(
        ReplayName="again",
        EventSourceArn=archived,
        EventStartTime=began,
        EventEndTime=time.time() + 1,
        Destination={"Arn": bus},
    )

    again = wait_until(lambda: received(studio, url, video.id), what="the event again")
    assert (again["detail"]["event_id"], again["replay-name"]) == (event_id, "again")
    wait_until(lambda: len(told(receiver, video.id)) >= 3, what="Slack again")
    wait_until(lambda: drained(studio), what="the webhooks' queue")
    assert len([body for body in told(receiver, video.id) if "text" not in body]) == 1
    wait_until(
        lambda: runs(studio, machine, video.id) == ["SUCCEEDED"] * 2,
        what=lambda: str(runs(studio, machine, video.id)),
    )
    client.webhooks.delete(webhook.id)
    studio.aws("events").delete_archive(ArchiveName="all")


def told(receiver: Receiver, video_id: str) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in receiver.got if video_id in body]


def drained(studio: Studio) -> bool:
    """Whether the webhooks' queue has nothing left, in flight or waiting."""
    sqs = studio.aws("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = sqs.get_queue_url(QueueName="revalida-webhooks")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return all(found[name] == "0" for name in names)
