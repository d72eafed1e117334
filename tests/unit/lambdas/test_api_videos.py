"""The HTTP API as its clients see it, through the function's handler."""

import base64
import io
import re
from typing import Any, cast

import pytest
from PIL import Image

from jobs import clock
from jobs.fleet import Ability, Instance, Slot
from jobs.job import Job
from lambdas import services
from lambdas.api import openapi
from lambdas.api.handler import app, handler
from tests.unit.jobs.cloud import BUCKET, Cloud
from tests.unit.jobs.made import outputs, queued, request
from tests.unit.lambdas.conftest import Answer, Api, Context

GOOD: dict[str, Any] = {"model": "wan-mini", "prompt": "a red circle", "seconds": "2"}


def created(api: Api, **changes: Any) -> dict[str, Any]:
    answer = api("POST", "/v1/videos", json_body={**GOOD, **changes})
    assert answer.status == 200, answer
    return dict(answer.body)


def completed(api: Api, cloud: Cloud) -> Job:
    store = services.store()
    job = store.claim(created(api)["id"], instance_id="i", slot="0", lease_s=60)
    made = outputs(job)
    for key in (made.video, made.thumbnail, made.spritesheet, f"checkpoints/{job.id}/000001.safetensors"):
        cloud.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    return store.complete(job.id, 1, outputs=made, seconds_by_phase={"denoise": 2.0}, cost_usd=0.01)


def error_of(answer: Answer) -> dict[str, Any]:
    assert set(answer.body) == {"error"}
    assert set(answer.body["error"]) == {"message", "type", "param", "code"}
    return dict(answer.body["error"])


def png(width: int = 128, height: int = 128) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, "PNG")
    return file.getvalue()


def test_given_a_request_when_created_then_openais_object_and_a_message(api: Api, cloud: Cloud) -> None:
    answer = api("POST", "/v1/videos", json_body=GOOD)

    body = answer.body
    assert (answer.status, body["object"], body["status"], body["progress"]) == (200, "video", "queued", 0)
    assert (body["seconds"], body["size"], body["model"], body["queue_position"]) == ("2", "128x128", "wan-mini", 1)
    assert int(answer.headers["openai-poll-after-ms"]) >= 500
    assert [message["job_id"] for message in cloud.messages()] == [body["id"]]


def test_given_the_sdks_multipart_then_texts_are_read_by_type(api: Api, cloud: Cloud) -> None:
    cloud.put("loras/style.safetensors", b"x")
    fields = {
        "prompt": "um coração",
        "model": "wan-mini",
        "seconds": "1",
        "seed": "7",
        "guidance_scale": "2.5",
        "loras[][name]": "style",
        "loras[][scale]": "0.5",
        "metadata[scene]": "12",
    }
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()]
    body = "".join([*parts, "--b--\r\n"]).encode()

    answer = api(
        "POST",
        "/v1/videos",
        body=base64.b64encode(body).decode(),
        base64=True,
        headers={"content-type": "multipart/form-data; boundary=b"},
    )

    shown = answer.body
    assert (shown["prompt"], shown["num_frames"], shown["seed"], shown["guidance_scale"]) == ("um coração", 17, 7, 2.5)
    assert shown["loras"] == [{"name": "style", "scale": 0.5}]
    assert shown["metadata"] == {"scene": "12"}


def test_given_an_image_by_data_url_then_the_agent_finds_it_in_the_bucket(api: Api, cloud: Cloud) -> None:
    url = "data:image/png;base64," + base64.b64encode(png()).decode()

    body = created(api, model="wan-mini-i2v", image=url)

    key = services.store().get(body["id"]).request.image
    assert key is not None
    assert key.startswith("inputs/")
    assert cloud.read(key) == png()
    assert body["has_image"] is True


def test_given_a_revoked_key_then_a_401_at_once(cloud: Cloud) -> None:
    key = services.keys().create(owner="default", name="short")
    assert Api(key)("GET", "/v1/videos").status == 200

    services.keys().revoke(key)

    assert Api(key)("GET", "/v1/videos").status == 401


def test_given_a_key_then_the_table_does_not_hold_it(cloud: Cloud) -> None:
    key = services.keys().create(owner="default", name="secret")

    assert key not in str(cloud.dynamodb.scan(TableName="studio")["Items"])


@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("GET", "/content"), ("DELETE", ""), ("POST", "/cancel")])
def test_given_another_tenants_video_then_a_404_like_any_unknown_one(
    api: Api, other_api: Api, method: str, suffix: str
) -> None:
    video_id = created(api)["id"]

    foreign = other_api(method, f"/v1/videos/{video_id}{suffix}")
    unknown = other_api(method, f"/v1/videos/video_01ARZ3NDEKTSV4RRFFQ69G5FAV{suffix}")

    assert (foreign.status, foreign.body) == (unknown.status, unknown.body) == (404, foreign.body)
    assert other_api("GET", "/v1/videos").body["data"] == []


def test_given_several_videos_then_pages_lead_from_one_to_the_next(api: Api) -> None:
    ids = [created(api)["id"] for _ in range(5)]

    first = api("GET", "/v1/videos", query={"limit": "3", "order": "asc"}).body
    second = api("GET", "/v1/videos", query={"limit": "3", "order": "asc", "after": first["last_id"]}).body

    assert [video["id"] for video in first["data"] + second["data"]] == ids
    assert (first["has_more"], second["has_more"], first["first_id"]) == (True, False, ids[0])


@pytest.mark.parametrize("variant", ["video", "thumbnail", "spritesheet"])
def test_given_a_completed_video_then_content_redirects_to_its_file(api: Api, cloud: Cloud, variant: str) -> None:
    job = completed(api, cloud)

    answer = api("GET", f"/v1/videos/{job.id}/content", query={"variant": variant})

    assert answer.status == 302
    assert f"/videos/{job.id}/1/{variant}" in answer.headers["location"]
    assert "Signature" in answer.headers["location"]


def test_given_a_caller_who_wants_json_then_content_is_its_signed_urls(api: Api, cloud: Cloud) -> None:
    job = completed(api, cloud)

    answer = api("GET", f"/v1/videos/{job.id}/content", headers={"accept": "application/json"})

    assert answer.status == 200
    assert f"/videos/{job.id}/1/video" in answer.body["url"]
    assert ("inline" in answer.body["url"], "attachment" in answer.body["download_url"]) == (True, True)
    assert answer.body["expires_at"] > clock.now()


def test_given_a_text_then_the_list_has_what_mentions_it(api: Api) -> None:
    wanted = [
        created(api, prompt="Um CÍRCULO vermelho")["id"],
        created(api, prompt="a square", metadata={"scene": "circulo, círculo"})["id"],
    ]
    created(api, prompt="a square")

    found = api("GET", "/v1/videos", query={"text": "círculo", "order": "asc"}).body

    assert [video["id"] for video in found["data"]] == wanted
    assert api("GET", "/v1/videos", query={"text": "x" * 201}).status == 400


def test_given_no_video_yet_or_a_wrong_variant_then_a_400(api: Api, cloud: Cloud) -> None:
    queued_id, job = created(api)["id"], completed(api, cloud)

    not_ready = api("GET", f"/v1/videos/{queued_id}/content")
    wrong = api("GET", f"/v1/videos/{job.id}/content", query={"variant": "gif"})

    assert (not_ready.status, error_of(not_ready)["code"]) == (400, "video_not_ready")
    assert (wrong.status, error_of(wrong)["param"]) == (400, "variant")


def test_given_a_completed_video_when_deleted_then_record_and_files_are_gone(api: Api, cloud: Cloud) -> None:
    job = completed(api, cloud)
    other = completed(api, cloud)

    answer = api("DELETE", f"/v1/videos/{job.id}")

    assert answer.body == {"id": job.id, "deleted": True, "object": "video.deleted"}
    assert api("GET", f"/v1/videos/{job.id}").status == 404
    assert not [key for key in cloud.object_keys() if job.id in key]
    assert [key for key in cloud.object_keys() if other.id in key]


def test_given_two_videos_from_one_image_when_one_is_deleted_then_its_image_goes_and_the_others_stays(
    api: Api, cloud: Cloud
) -> None:
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    gone, stays = (created(api, model="wan-mini-i2v", image=url)["id"] for _ in range(2))
    kept = services.store().get(stays).request.image

    api("DELETE", f"/v1/videos/{gone}")

    assert cloud.object_keys("inputs/") == [kept]
    api("DELETE", f"/v1/videos/{stays}")
    assert cloud.object_keys("inputs/") == []
    assert not [item for item in cloud.dynamodb.scan(TableName="studio")["Items"] if item["sk"]["S"] == "INPUT"]


def test_given_a_video_of_before_when_deleted_then_its_image_stays_for_those_that_may_share_it(
    api: Api, cloud: Cloud
) -> None:
    shared = "inputs/" + "0" * 64 + ".png"
    cloud.put(shared, png())
    job = queued(request=request(image=shared))
    services.store().create(job)

    assert api("DELETE", f"/v1/videos/{job.id}").status == 200

    assert cloud.object_keys("inputs/") == [shared]


def test_given_a_cancel_then_again_is_the_same_and_a_finished_video_refuses(api: Api, cloud: Cloud) -> None:
    video_id, done = created(api)["id"], completed(api, cloud)

    first, again = (api("POST", f"/v1/videos/{video_id}/cancel") for _ in range(2))
    refused = api("POST", f"/v1/videos/{done.id}/cancel")

    assert (first.body["status"], again.body["status"]) == ("cancelled", "cancelled")
    assert (refused.status, error_of(refused)["code"]) == (400, "video_not_cancellable")


def test_given_an_idempotency_key_then_one_job_and_another_body_is_a_422(api: Api, cloud: Cloud) -> None:
    key = {"idempotency-key": "order-1"}

    first, again = (api("POST", "/v1/videos", json_body=GOOD, headers=key) for _ in range(2))
    other = api("POST", "/v1/videos", json_body={**GOOD, "prompt": "a blue one"}, headers=key)

    assert first.body["id"] == again.body["id"]
    assert (other.status, error_of(other)["code"]) == (422, "idempotency_key_reused")
    assert len(cloud.messages()) == 1


def test_given_another_tenants_idempotency_key_then_it_is_another_key(api: Api, other_api: Api) -> None:
    key = {"idempotency-key": "order-1"}

    ours, theirs = (each("POST", "/v1/videos", json_body=GOOD, headers=key).body["id"] for each in (api, other_api))

    assert ours != theirs


@pytest.mark.parametrize(("retry", "jobs"), [("0", 2), ("1", 1)])
def test_given_no_key_then_only_what_the_sdk_calls_a_retry_is_one(
    api: Api, cloud: Cloud, retry: str, jobs: int
) -> None:
    api("POST", "/v1/videos", json_body=GOOD, headers={"x-stainless-retry-count": "0"})
    api("POST", "/v1/videos", json_body=GOOD, headers={"x-stainless-retry-count": retry})

    assert len(cloud.messages()) == jobs


@pytest.mark.parametrize("header", ["wait=5", 'respond-async, WAIT="5"', "wait = 99999"])
def test_given_prefer_wait_then_the_answer_is_held_until_the_video_has_ended(
    api: Api, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    def cancelled_meanwhile(_seconds: float) -> None:
        services.store().cancel(cloud.messages()[0]["job_id"], owner="default")

    monkeypatch.setattr("lambdas.api.videos.time.sleep", cancelled_meanwhile)

    answer = api("POST", "/v1/videos", json_body=GOOD, headers={"prefer": header})

    assert answer.body["status"] == "cancelled"


@pytest.mark.parametrize("header", ["", "wait=", "wait=x", "await=5", "wait=-1", "wait=99999999999"])
def test_given_no_wait_that_can_be_read_then_the_answer_comes_at_once(
    api: Api, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    monkeypatch.setattr("lambdas.api.videos.time.sleep", lambda _: pytest.fail("it waited"))

    assert api("POST", "/v1/videos", json_body=GOOD, headers={"prefer": header}).body["status"] == "queued"


def test_given_no_word_from_the_fleet_then_models_say_so(api: Api) -> None:
    models = {model["id"]: model for model in api("GET", "/v1/models").body["data"]}

    assert models["wan-mini"]["runnable"] is None
    assert models["wan-mini"]["reason"]
    assert 0 < models["wan-mini"]["typical"]["compute_seconds"] < models["mochi-1"]["typical"]["compute_seconds"]


def given_a_machine_without_gpu() -> None:
    abilities = (
        Ability(model="wan-mini", runnable=True),
        Ability(model="mochi-1", runnable=False, reason="needs an NVIDIA GPU; this machine has none"),
    )
    services.fleet().report_abilities("local", slot="CPUx2", abilities=abilities)


def test_given_a_machine_without_gpu_then_models_say_why_and_the_door_refuses(api: Api, cloud: Cloud) -> None:
    given_a_machine_without_gpu()

    models = {model["id"]: model for model in api("GET", "/v1/models").body["data"]}
    refused = api("POST", "/v1/videos", json_body={"model": "mochi-1", "prompt": "a"})
    quote = api("POST", "/v1/videos/estimate", json_body={"model": "mochi-1", "prompt": "a"})

    assert models["wan-mini"]["runnable"] is True
    assert (models["mochi-1"]["runnable"], "GPU" in models["mochi-1"]["reason"]) == (False, True)
    assert (refused.status, error_of(refused)["code"]) == (400, "not_runnable")
    assert "GPU" in error_of(refused)["message"]
    assert (quote.status, quote.body["feasible"]) == (200, False)


def test_given_a_request_then_its_quote_grows_with_the_work_and_makes_nothing(api: Api, cloud: Cloud) -> None:
    quotes = [
        api("POST", "/v1/videos/estimate", json_body={**GOOD, "num_inference_steps": steps}).body for steps in (4, 40)
    ]

    assert 0 < quotes[0]["compute_seconds"] < quotes[1]["compute_seconds"]
    assert quotes[0]["eta_seconds"] < quotes[1]["eta_seconds"]
    assert api("GET", "/v1/videos").body["data"] == []
    assert cloud.messages() == []


def test_given_work_that_waits_then_the_quotes_eta_is_that_of_the_video_it_becomes(api: Api) -> None:
    alone = api("POST", "/v1/videos/estimate", json_body=GOOD).body["eta_seconds"]
    created(api)

    quote = api("POST", "/v1/videos/estimate", json_body=GOOD).body["eta_seconds"]

    assert quote > alone > 0
    assert created(api)["eta_seconds"] == quote


def test_given_a_working_instance_then_the_fleet_shows_it_and_the_backlog(api: Api) -> None:
    created(api)
    now = services.store().get(created(api)["id"]).created_at
    instance = Instance(id="i-1", kind="local", state="busy", started_at=now, seen_at=now, slots=(Slot(name="cpu"),))
    services.fleet().register(instance)

    fleet = api("GET", "/v1/fleet").body

    assert [each["id"] for each in fleet["instances"]] == ["i-1"]
    assert fleet["queued"] == {"wan-mini": 2}
    assert fleet["backlog_seconds"]["wan-mini"] > 0


def test_given_a_queue_that_is_down_then_the_job_is_accepted_and_not_lost(
    api: Api, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import EndpointConnectionError

    def down(*_arguments: Any) -> None:
        raise EndpointConnectionError(endpoint_url="sqs")

    monkeypatch.setattr(services.queues(), "send", down)

    assert created(api)["status"] == "queued"


def test_openapi_document_is_the_committed_one() -> None:
    """If this fails: `python -m lambdas.api.openapi`, and look at what changed for clients."""
    assert openapi.PATH.read_text() == openapi.text()


def test_openapi_document_names_every_route() -> None:
    described = {(method.upper(), path) for path, methods in openapi.document()["paths"].items() for method in methods}
    routed = {(route.method, route.path.replace("<", "{").replace(">", "}")) for route in _routes()}

    assert described == routed


def _routes() -> list[Any]:
    return [*app._static_routes, *app._dynamic_routes]


def test_openapi_page_is_one_file_that_asks_nobody_else(cloud: Cloud) -> None:
    event = {
        "version": "2.0",
        "rawPath": "/v1/docs",
        "headers": {},
        "requestContext": {"http": {"method": "GET", "path": "/v1/docs"}, "stage": "$default"},
    }

    page = handler(event, cast(Any, Context()))

    assert page["statusCode"] == 200
    assert page["headers"]["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page["headers"]["Content-Security-Policy"]
    assert '"operationId": "createVideo"' in page["body"]
    assert "SwaggerUIBundle(swaggerUIOptions)" in page["body"]
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", page["body"]) == []
    assert len(page["body"].encode()) < 6_000_000  # what a function may answer


def test_openapi_document_is_served_without_a_key(cloud: Cloud) -> None:
    answer = Api(None)("GET", "/v1/openapi.json")

    assert (answer.status, answer.body["openapi"]) == (200, "3.1.0")
