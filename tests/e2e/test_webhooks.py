"""Webhooks on the running system: the table's stream, the bus, the queue, the function, and a receiver on a socket.

The local stage trusts loopback (`api.trusted_networks` in cdk.json); no other stage may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai import BadRequestError
from standardwebhooks import Webhook

from tests.e2e.studio import Studio, wait_until
from tests.receiver import Receiver

TYPES = ["video.completed", "video.failed"]


@pytest.fixture
def endpoint(studio: Studio, receiver: Receiver) -> Iterator[Any]:
    """A webhook as the openai SDK makes it."""
    client = studio.openai()
    made = client.webhooks.create(name="edit suite", url=receiver.url, event_types=TYPES)
    yield made
    client.webhooks.delete(made.id)


def completed(receiver: Receiver, video_id: str) -> list[tuple[dict[str, str], str]]:
    """What the receiver got of a video."""
    return [(headers, body) for headers, body in receiver.got if json.loads(body)["data"]["id"] == video_id]


def test_a_finished_video_is_told_signed_and_told_again_to_a_receiver_that_failed(
    studio: Studio, receiver: Receiver, endpoint: Any
) -> None:
    client = studio.openai()
    video = client.videos.create(model="wan-mini", prompt="a red circle", size="128x128", seconds="1")
    # Of this video alone: the end of one that an earlier test made may still be on its way here.
    receiver.of, receiver.answers = video.id, [500]

    def told() -> str:
        log = client.get(f"/webhooks/{endpoint.id}/deliveries", cast_to=object)
        return f"two tries of the webhook: {client.videos.retrieve(video.id).status}, {log}"

    wait_until(lambda: len(completed(receiver, video.id)) >= 2, what=told)

    first, again = completed(receiver, video.id)[:2]
    assert first[0]["webhook-id"] == again[0]["webhook-id"]
    assert first[1] == again[1]
    headers, body = again
    event = client.webhooks.unwrap(body, headers, secret=endpoint.signing_secret)
    assert (event.type, event.data.id) == ("video.completed", video.id)
    assert Webhook(endpoint.signing_secret).verify(body, headers)["data"]["status"] == "completed"

    def delivered() -> Any:
        log = client.get(f"/webhooks/{endpoint.id}/deliveries", cast_to=object)["data"]
        ours = (each for each in log if each["video_id"] == video.id and each["status"] == "delivered")
        return next(ours, None)

    delivery = wait_until(delivered, what="the delivery log")
    assert [each["status_code"] for each in delivery["tries"]] == [500, 200]


def test_a_webhook_that_redirects_inside_or_leads_there_gets_nowhere(studio: Studio, receiver: Receiver) -> None:
    client = studio.openai()
    for url in ("http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "https://[fd00:ec2::254]/"):
        with pytest.raises(BadRequestError) as refused:
            client.webhooks.create(name="inside", url=url, event_types=TYPES)
        assert refused.value.param == "url"
    made = client.webhooks.create(name="redirects", url=receiver.url, event_types=TYPES)
    receiver.of, receiver.answers = '"test"', [302]

    answer = client.post(f"/webhooks/{made.id}/test", body={"event_type": "video.completed"}, cast_to=object)

    client.webhooks.delete(made.id)
    assert answer["status_code"] == 302
    assert len([body for _, body in receiver.got if receiver.of in body]) == 1
