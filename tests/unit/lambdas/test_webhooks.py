"""Webhooks from the API to a receiver on a real socket: the function, the queue, the log."""

import json
from typing import Any

import boto3
import openai
import pytest
from standardwebhooks import Webhook

from jobs import aws, clock
from jobs.events import changes
from jobs.job import Job
from jobs.keys import Scope
from jobs.webhooks.delivery import DISABLE_AFTER_S, RETRY_AFTER_S
from jobs.webhooks.dispatch import WebhookQueue
from lambdas import services, webhook_services
from lambdas.webhooks.handler import handler
from tests.receiver import Receiver
from tests.unit.jobs.cloud import PREFIX, Cloud
from tests.unit.jobs.made import Clock, outputs, queued
from tests.unit.lambdas.conftest import Api

TYPES = ["video.completed", "video.failed"]


class Webhooks:
    """The deployment's part: the queue, and what SQS and Lambda do with it."""

    def __init__(self, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock(clock.now())
        self.context = context
        self.url = boto3.client("sqs").create_queue(QueueName=f"{PREFIX}-webhooks")["QueueUrl"]
        self.hidden: list[int] = []
        self.published: list[dict[str, Any]] = []
        monkeypatch.setattr(webhook_services.store(), "now", self.clock)
        monkeypatch.setattr(WebhookQueue, "hide", lambda _, handle, seconds: self.hidden.append(seconds))
        monkeypatch.setattr(aws.events(), "put_events", self._put)

    def _put(self, Entries: list[Any]) -> dict[str, Any]:
        self.published.extend(Entries)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "x"} for _ in Entries]}

    def tell(self, old: Job | None, new: Job) -> None:
        """The rule's part: each event of this change goes into the queue."""
        for detail in changes(old, new):
            event = {"time": "2026-09-22T12:00:00Z", "detail": detail.model_dump(mode="json")}
            boto3.client("sqs").send_message(QueueUrl=self.url, MessageBody=json.dumps(event))

    def run(self) -> list[dict[str, Any]]:
        """Handle what is in the queue until it is empty; returns the messages that are to come again."""
        client, again = boto3.client("sqs"), []
        while messages := client.receive_message(QueueUrl=self.url).get("Messages"):
            for message in messages:
                client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                again += self.hand_over({"messageId": "m", "receiptHandle": "r", "body": message["Body"]})
        return again

    def hand_over(self, record: dict[str, Any]) -> list[dict[str, Any]]:
        failures = handler({"Records": [record]}, self.context)["batchItemFailures"]
        return [record] if failures else []


@pytest.fixture
def webhooks(cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch) -> Webhooks:
    monkeypatch.setenv("REVALIDA_TRUSTED_NETWORKS", '["127.0.0.0/8"]')
    services.forget()
    return Webhooks(context, monkeypatch)


@pytest.fixture
def admin(cloud: Cloud) -> Api:
    return Api(services.keys().create(owner="default", name="admin", scopes=tuple(Scope)))


def completed(owner: str = "default") -> tuple[Job, Job]:
    store, job = services.store(), queued(owner=owner)
    store.create(job)
    running = store.claim(job.id, instance_id="i", slot="0", lease_s=60)
    return running, store.complete(job.id, 1, outputs=outputs(job), seconds_by_phase={}, cost_usd=0.01)


def created(api: Api, url: str, **changes: Any) -> dict[str, Any]:
    answer = api("POST", "/v1/webhooks", json_body={"url": url, "event_types": TYPES, **changes})
    assert answer.status == 200, answer
    return dict(answer.body)


def test_given_a_completed_video_then_the_receiver_gets_it_signed_as_both_libraries_want(
    webhooks: Webhooks, receiver: Receiver, admin: Api
) -> None:
    secret = created(admin, receiver.url)["signing_secret"]
    job = completed()
    webhooks.tell(*job)

    assert webhooks.run() == []

    [(headers, body)] = receiver.got
    assert Webhook(secret).verify(body, headers)["data"]["id"] == job[1].id
    event = openai.OpenAI(api_key="x", webhook_secret=secret).webhooks.unwrap(body, headers)
    shown = event.model_dump()  # the SDK has the type's name, but no class for it
    assert (shown["type"], shown["data"]["id"]) == ("video.completed", job[1].id)
    assert json.loads(body)["data"]["outputs"]["num_frames"] == 33
    with pytest.raises(openai.InvalidWebhookSignatureError):
        openai.OpenAI(api_key="x", webhook_secret=secret).webhooks.unwrap(body + " ", headers)


def test_given_a_filter_another_owner_or_a_disabled_endpoint_then_nothing_is_sent(
    webhooks: Webhooks, receiver: Receiver, admin: Api, other_api: Api
) -> None:
    created(admin, receiver.url, event_types=["video.failed"])
    off = created(admin, receiver.url)["id"]
    assert admin("POST", f"/v1/webhooks/{off}", json_body={"enabled": False}).body["enabled"] is False

    webhooks.tell(*completed())
    webhooks.tell(*completed(owner="other"))

    assert webhooks.run() == []
    assert receiver.got == []


def test_given_a_failing_receiver_then_tries_are_spread_over_a_day_under_one_id_and_logged(
    webhooks: Webhooks, receiver: Receiver, admin: Api
) -> None:
    endpoint = created(admin, receiver.url)
    receiver.answers = [500, 302, 429, 500, 500, 500, 500, 503]
    webhooks.tell(*completed())

    again = webhooks.run()
    while again:
        webhooks.clock.at += webhooks.hidden[-1] + 1
        [record] = again
        again = webhooks.hand_over(record)

    assert [pytest.approx(seconds, abs=2) for seconds in RETRY_AFTER_S] == webhooks.hidden
    assert sum(webhooks.hidden) > 24 * 3600
    assert max(webhooks.hidden) <= 12 * 3600  # SQS hides a message no longer
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len({body for _, body in receiver.got}) == 1
    assert [int(headers["webhook-timestamp"]) for headers, _ in receiver.got] == sorted(
        {int(headers["webhook-timestamp"]) for headers, _ in receiver.got}
    )
    [entry] = admin("GET", f"/v1/webhooks/{endpoint['id']}/deliveries").body["data"]
    assert [one["status_code"] for one in entry["tries"]] == [500, 302, 429, 500, 500, 500, 500, 503]
    assert (entry["status"], entry["reason"]) == ("failed", "All tries failed.")


def test_given_a_message_delivered_twice_then_the_receiver_hears_it_once(
    webhooks: Webhooks, receiver: Receiver, admin: Api
) -> None:
    created(admin, receiver.url)
    job = completed()
    webhooks.tell(*job)
    webhooks.tell(*job)

    assert webhooks.run() == []

    assert len(receiver.got) == 1


def test_given_days_of_failure_then_the_endpoint_is_disabled_and_an_event_says_so(
    webhooks: Webhooks, receiver: Receiver, admin: Api
) -> None:
    endpoint = created(admin, receiver.url)["id"]
    receiver.answers = [500, 500]
    webhooks.tell(*completed())
    webhooks.run()
    assert admin("GET", f"/v1/webhooks/{endpoint}").body["failing_since"] is not None
    webhooks.clock.at += DISABLE_AFTER_S + 1

    webhooks.tell(*completed())
    webhooks.run()

    shown = admin("GET", f"/v1/webhooks/{endpoint}").body
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "Every delivery failed for 5 days.")
    [entry] = webhooks.published
    assert entry["DetailType"] == "Webhook Disabled"
    assert json.loads(entry["Detail"])["webhook_id"] == endpoint
    assert admin("POST", f"/v1/webhooks/{endpoint}", json_body={"enabled": True}).body["failing_since"] is None


def test_given_a_success_after_failures_then_the_endpoint_is_as_good_as_new(
    webhooks: Webhooks, receiver: Receiver, admin: Api
) -> None:
    endpoint = created(admin, receiver.url)["id"]
    receiver.answers = [500]
    webhooks.tell(*completed())
    [record] = webhooks.run()
    webhooks.clock.at += 6

    assert webhooks.hand_over(record) == []

    assert admin("GET", f"/v1/webhooks/{endpoint}").body["failing_since"] is None


def test_given_a_receiver_that_is_gone_then_it_is_disabled_at_once(
    webhooks: Webhooks, receiver: Receiver, admin: Api
) -> None:
    endpoint = created(admin, receiver.url)["id"]
    receiver.answers = [410]
    webhooks.tell(*completed())

    assert webhooks.run() == []

    assert admin("GET", f"/v1/webhooks/{endpoint}").body["enabled"] is False


def test_given_a_rotated_secret_with_overlap_then_both_verify_for_a_day(
    webhooks: Webhooks, receiver: Receiver, admin: Api
) -> None:
    endpoint = created(admin, receiver.url)
    keep = {"keep_old_secret_active_for_24_hours": True}
    rotated = admin("POST", f"/v1/webhooks/{endpoint['id']}/rotate_secret", json_body=keep).body
    old, new = endpoint["signing_secret"], rotated["signing_secret"]
    webhooks.tell(*completed())
    webhooks.run()
    webhooks.clock.at = clock.now() + 25 * 3600
    webhooks.tell(*completed())
    webhooks.run()

    (first, body), (later, _) = receiver.got
    assert old != new
    assert Webhook(old).verify(body, first) == Webhook(new).verify(body, first)
    assert (len(first["webhook-signature"].split()), len(later["webhook-signature"].split())) == (2, 1)


def test_given_a_url_that_leads_inside_later_then_it_is_refused_at_delivery(
    webhooks: Webhooks, receiver: Receiver, admin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = created(admin, receiver.url)["id"]
    monkeypatch.setenv("REVALIDA_TRUSTED_NETWORKS", "[]")
    services.forget()
    webhooks.tell(*completed())

    webhooks.run()

    [entry] = admin("GET", f"/v1/webhooks/{endpoint}/deliveries").body["data"]
    assert "not public" in entry["tries"][0]["error"]
    assert receiver.got == []


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.1/", "http://8.8.8.8/", "https://169.254.169.254/x", "https://[::1]/", "ftp://8.8.8.8/", "x"],
)
def test_given_a_url_that_must_not_be_reached_then_it_is_refused_at_creation(admin: Api, url: str) -> None:
    answer = admin("POST", "/v1/webhooks", json_body={"url": url})

    assert (answer.status, answer.body["error"]["param"]) == (400, "url")
    assert admin("GET", "/v1/webhooks").body["data"] == []


def test_given_a_test_call_then_the_receivers_answer_is_shown(
    webhooks: Webhooks, receiver: Receiver, admin: Api
) -> None:
    endpoint = created(admin, receiver.url)
    receiver.answers = [418]

    shown = admin("POST", f"/v1/webhooks/{endpoint['id']}/test", json_body={"event_type": "video.failed"}).body

    assert (shown["status_code"], shown["event_type"]) == (418, "video.failed")
    [(headers, body)] = receiver.got
    assert Webhook(endpoint["signing_secret"]).verify(body, headers)["type"] == "video.failed"


def test_given_another_tenants_webhook_then_it_is_not_there(webhooks: Webhooks, receiver: Receiver, admin: Api) -> None:
    other_api = Api(services.keys().create(owner="other", name="admin", scopes=tuple(Scope)))
    path = f"/v1/webhooks/{created(admin, receiver.url)['id']}"

    assert other_api("GET", "/v1/webhooks").body["data"] == []
    for method, suffix in [("GET", ""), ("DELETE", ""), ("POST", ""), ("POST", "/test"), ("GET", "/deliveries")]:
        assert other_api(method, path + suffix).status == 404
    assert admin("GET", path).body["signing_secret_hint"].startswith("whsec_...")
    assert "signing_secret" not in admin("GET", path).body


def test_given_webhooks_when_listed_then_paged_newest_first_and_deleted_for_good(
    webhooks: Webhooks, receiver: Receiver, admin: Api
) -> None:
    ids = [created(admin, receiver.url)["id"] for _ in range(3)][::-1]

    page = admin("GET", "/v1/webhook_endpoints", query={"limit": "2"}).body
    rest = admin("GET", "/v1/webhook_endpoints", query={"after": page["last_id"]}).body

    assert [each["id"] for each in page["data"] + rest["data"]] == sorted(ids, reverse=True)
    assert (page["has_more"], rest["has_more"]) == (True, False)
    assert admin("DELETE", f"/v1/webhooks/{ids[0]}").body["object"] == "webhook_endpoint.deleted"
    assert admin("GET", f"/v1/webhooks/{ids[0]}").status == 404


SECRET = "whsec_" + "QUFB" * 11


def test_given_a_request_with_its_own_webhook_then_that_url_is_told_of_this_video_alone(
    webhooks: Webhooks, receiver: Receiver, admin: Api
) -> None:
    good = {"model": "wan-mini", "prompt": "a red circle"}
    own = {"url": receiver.url, "secret": SECRET, "event_types": ["video.queued", "video.cancelled"]}
    shown = admin("POST", "/v1/videos", json_body={**good, "webhook": own}).body
    other = admin("POST", "/v1/videos", json_body=good).body
    assert {"id"} <= shown.keys() & other.keys(), (shown, other)
    for video in (shown, other):
        before = services.store().get(video["id"])
        webhooks.tell(None, before)
        webhooks.tell(before, services.store().cancel(video["id"], owner="default"))

    webhooks.run()

    told = [Webhook(SECRET).verify(body, headers) for headers, body in receiver.got]
    assert {event["type"] for event in told} == {"video.queued", "video.cancelled"}
    assert {event["data"]["id"] for event in told} == {shown["id"]}
    assert SECRET not in json.dumps(shown)
    assert SECRET not in "".join(body for _, body in receiver.got)


@pytest.mark.parametrize(
    ("own", "param"),
    [
        ({"url": "https://10.0.0.1/", "secret": SECRET}, "webhook.url"),
        ({"url": "https://8.8.8.8/", "secret": "short"}, "webhook.secret"),
        ({"url": "https://8.8.8.8/"}, "webhook.secret"),
        ({"url": "https://8.8.8.8/", "secret": SECRET, "event_types": ["x"]}, "webhook.event_types[0]"),
    ],
)
def test_given_a_request_with_a_webhook_of_no_use_then_it_is_refused(
    admin: Api, own: dict[str, Any], param: str
) -> None:
    answer = admin("POST", "/v1/videos", json_body={"model": "wan-mini", "prompt": "a", "webhook": own})

    assert (answer.status, answer.body["error"]["param"]) == (400, param)
    assert admin("GET", "/v1/videos").body["data"] == []


def test_given_a_message_while_the_job_is_deleted_then_it_is_given_up(
    webhooks: Webhooks, receiver: Receiver, admin: Api
) -> None:
    endpoint = created(admin, receiver.url)["id"]
    receiver.answers = [500]
    webhooks.tell(*completed())
    [record] = webhooks.run()
    admin("DELETE", f"/v1/webhooks/{endpoint}")
    webhooks.clock.at += 10

    assert webhooks.hand_over(record) == []
    assert len(receiver.got) == 1


def test_given_a_store_with_twenty_then_no_more(webhooks: Webhooks, receiver: Receiver, admin: Api) -> None:
    for _ in range(20):
        created(admin, receiver.url)

    answer = admin("POST", "/v1/webhooks", json_body={"url": receiver.url})

    assert (answer.status, answer.body["error"]["code"]) == (400, "too_many_webhooks")
