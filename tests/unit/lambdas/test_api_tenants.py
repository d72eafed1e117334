"""What belongs to one caller: odd text comes back as it was given, and nobody else finds any of it."""

from typing import Any

import pytest

from jobs import s3_keys
from jobs.fleet import Instance, Slot
from lambdas import services
from tests.unit.jobs.cloud import Cloud
from tests.unit.lambdas.conftest import Api

GOOD: dict[str, Any] = {"model": "wan-mini", "prompt": "a red circle"}


@pytest.mark.parametrize("text", ["‮evil", "a\nb", "ação 日本 🎬", "a\u2028b", "x" * 512])
def test_given_odd_text_in_prompt_and_metadata_then_it_is_kept_as_it_is_and_no_key_has_it(
    api: Api, cloud: Cloud, text: str
) -> None:
    made = api("POST", "/v1/videos", json_body={**GOOD, "prompt": text, "metadata": {"k": text}})

    assert made.status == 200
    assert made.body["metadata"] == {"k": text}
    assert api("GET", f"/v1/videos/{made.body['id']}").body["prompt"] == text
    assert s3_keys.job_prefix(made.body["id"]).isascii()
    assert [message["job_id"] for message in cloud.messages()] == [made.body["id"]]


def test_given_another_tenants_job_then_every_call_says_that_there_is_none(api: Api, other_api: Api) -> None:
    video = api("POST", "/v1/videos", json_body=GOOD).body["id"]
    absent = video[:-4] + "0000"

    for method, suffix in [("GET", ""), ("GET", "/content"), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/remix")]:
        body = {"prompt": "b"} if suffix == "/remix" else None
        theirs = other_api(method, f"/v1/videos/{video}{suffix}", json_body=body)
        nobodys = other_api(method, f"/v1/videos/{absent}{suffix}", json_body=body)
        assert (theirs.status, theirs.body) == (404, nobodys.body)
    assert other_api("GET", "/v1/videos", query={"after": video}).body["data"] == []
    assert api("GET", f"/v1/videos/{video}").body["status"] == "queued"


def test_given_another_tenants_job_on_a_slot_then_the_fleet_shows_it_busy_and_not_with_what(
    api: Api, other_api: Api
) -> None:
    video = api("POST", "/v1/videos", json_body=GOOD).body["id"]
    now = services.store().claim(video, instance_id="i-1", slot="0", lease_s=60).updated_at
    slots = (Slot(name="0", loaded_model="wan-mini", job_id=video), Slot(name="1"))
    services.fleet().register(Instance(id="i-1", kind="local", state="busy", started_at=now, seen_at=now, slots=slots))

    mine, theirs = (each("GET", "/v1/fleet").body["instances"][0]["slots"] for each in (api, other_api))

    assert [(slot["job_id"], slot["busy"]) for slot in mine] == [(video, True), (None, False)]
    assert [(slot["job_id"], slot["busy"]) for slot in theirs] == [(None, True), (None, False)]

    services.store().cancelled(video, 1)
    ended = api("GET", "/v1/fleet").body["instances"][0]["slots"]
    assert [(slot["job_id"], slot["busy"]) for slot in ended] == [(None, False), (None, False)]
