"""The dialect's contract, by the unmodified `openai` SDK over HTTP: what an existing program does keeps working."""

import asyncio
import base64
import json
from typing import Any

import httpx
import openai
import pytest

from jobs.job import JobError
from jobs.keys import Scope
from lambdas import services
from tests.contract.conftest import FILM, GOOD, Studio, finished, jpeg, png
from tests.unit.jobs.made import queued

# Create


def test_given_the_sdk_when_creating_then_the_sdks_own_type(client: openai.OpenAI) -> None:
    video = client.videos.create(**GOOD)

    assert isinstance(video, openai.types.Video)
    assert (video.object, video.status, video.progress) == ("video", "queued", 0)
    assert (video.model, video.prompt, video.seconds, video.size) == ("wan-mini", "a red circle", "2", "128x128")
    assert video.model_extra is not None
    assert video.model_extra["queue_position"] >= 1


@pytest.mark.parametrize("name", ["input_reference", "image"])
def test_given_a_real_image_when_creating_then_it_reaches_the_bucket(
    studio: Studio, client: openai.OpenAI, name: str
) -> None:
    video = client.videos.create(**{**GOOD, "model": "wan-mini-i2v"}, input_reference=("a.png", png(), "image/png"))

    key = services.store().get(video.id).request.image
    assert key is not None
    assert studio.cloud.read(key) == png()


def test_given_an_image_by_data_url_when_creating_then_it_is_taken_in(client: openai.OpenAI) -> None:
    # By `extra_body`: for `input_reference={"image_url": ...}` the SDK raises before it sends anything.
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    extra = {"input_reference": {"image_url": url}}
    video = client.videos.create(**{**GOOD, "model": "wan-mini-i2v"}, extra_body=extra)

    assert video.model_extra is not None
    assert video.model_extra["has_image"] is True


EXTRAS: dict[str, Any] = {
    "seed": 7,
    "num_inference_steps": 12,
    "guidance_scale": 2.5,
    "flow_shift": 7.5,
    "negative_prompt": "blue",
    "metadata": {"campaign": "verão"},
    "shots": [{"prompt": "from left"}, {"prompt": "from above", "num_frames": 17}],
    "output": {"codec": "prores", "upscale": 2},
}


@pytest.mark.parametrize("form", ["bracketed", "json strings", "json body"])
def test_given_our_fields_in_any_form_then_they_are_the_same_request(
    studio: Studio, client: openai.OpenAI, form: str
) -> None:
    shown: dict[str, Any]
    if form == "bracketed":
        shown = client.videos.create(**GOOD, extra_body=EXTRAS).model_dump()
    elif form == "json strings":
        texts = {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in EXTRAS.items()}
        shown = client.videos.create(**GOOD, extra_body=texts).model_dump()
    else:
        headers = {"Authorization": f"Bearer {client.api_key}"}
        answer = httpx.post(f"{studio.base_url}/videos", json={**GOOD, **EXTRAS}, headers=headers)
        assert answer.status_code == 200, answer.text
        shown = answer.json()

    plain = ("seed", "num_inference_steps", "guidance_scale", "flow_shift", "negative_prompt")
    assert {name: shown[name] for name in plain} == {name: EXTRAS[name] for name in plain}
    assert shown["metadata"] == {"campaign": "verão"}
    assert [(shot["prompt"], shot["num_frames"]) for shot in shown["shots"]] == [("from left", 33), ("from above", 17)]
    assert shown["output"] == {"codec": "prores", "upscale": 2, "interpolate": 1}


# Poll, download, delete


def test_given_create_and_poll_then_the_finished_video_and_all_its_files(studio: Studio, client: openai.OpenAI) -> None:
    with studio.agent():
        video = client.videos.create_and_poll(**GOOD)

    assert (video.status, video.progress) == ("completed", 100)
    assert client.videos.download_content(video.id).read() == FILM
    for variant in ("thumbnail", "spritesheet"):
        assert client.videos.download_content(video.id, variant=variant).read() == jpeg()


def test_given_a_failed_or_cancelled_video_then_poll_returns_it(studio: Studio, client: openai.OpenAI) -> None:
    failed, cancelled = (client.videos.create(**GOOD).id for _ in range(2))
    services.store().claim(failed, instance_id="i", slot="0", lease_s=60)
    services.store().fail(failed, 1, JobError(code="lora_rejected", message="no such keys"))
    client.post(f"/videos/{cancelled}/cancel", cast_to=object)

    polled = client.videos.poll(failed)

    assert (polled.status, polled.error and polled.error.code) == ("failed", "lora_rejected")
    assert str(client.videos.poll(cancelled).status) == "cancelled"


def test_given_a_queue_then_the_poll_header_follows_the_eta(client: openai.OpenAI) -> None:
    short, long = (client.videos.create(**GOOD, extra_body={"num_inference_steps": steps}) for steps in (1, 50))

    answers = [client.videos.with_raw_response.retrieve(video.id) for video in (short, long)]

    waits = [int(answer.headers["openai-poll-after-ms"]) for answer in answers]
    etas = [answer.parse().model_dump()["eta_seconds"] for answer in answers]
    assert etas[0] < etas[1]
    assert 500 <= waits[0] <= waits[1] <= 15_000
    # Twenty questions on the way; the view shows whole seconds of the same forecast.
    assert [abs(wait - min(15_000, max(500, 50 * eta))) <= 50 for wait, eta in zip(waits, etas, strict=True)] == [
        True,
        True,
    ]


def test_given_a_deleted_video_then_it_and_its_files_are_gone(studio: Studio, client: openai.OpenAI) -> None:
    video = finished(studio, client)

    answer = client.videos.delete(video.id)

    assert (answer.id, answer.deleted, answer.object) == (video.id, True, "video.deleted")
    assert studio.cloud.object_keys(f"videos/{video.id}/") == []
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(video.id)


# List


@pytest.fixture(scope="module")
def hundred(studio: Studio) -> list[str]:
    """The ids of an owner's videos, in order of creation."""
    return [add("lister") for _ in range(105)]


def add(owner: str) -> str:
    job = queued(owner=owner)
    assert services.store().create(job)
    return job.id


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_given_over_a_hundred_videos_then_pages_have_no_holes_or_repeats_while_new_ones_arrive(
    studio: Studio, hundred: list[str], order: Any
) -> None:
    before = list(hundred)

    seen = []
    for video in studio.openai("lister").videos.list(order=order, limit=35):
        seen.append(video.id)
        if len(seen) in {35, 70, 105}:
            hundred.append(add("lister"))

    # New ones come at the end in ascending order, and before the first page in descending order.
    assert seen == (hundred if order == "asc" else before[::-1])


# The catalog, webhooks


def test_given_the_catalog_then_the_sdk_lists_it(client: openai.OpenAI) -> None:
    models = {model.id: model for model in client.models.list()}

    assert client.models.retrieve("wan-mini").id in models
    assert (models["wan-mini"].model_extra or {})["sizes"] == ["128x128", "96x160", "160x96"]


def test_given_a_key_that_may_then_the_sdk_manages_webhooks(studio: Studio) -> None:
    key = services.keys().create(owner="told", name="sdk", scopes=tuple(Scope))
    webhooks: Any = openai.OpenAI(base_url=studio.base_url, api_key=key).webhooks
    fields = {"url": "https://8.8.8.8/hook", "event_types": ["video.completed"]}
    made = [webhooks.create(name=f"suite {number}", **fields) for number in range(3)]
    first = made[0].id

    changed = webhooks.update(first, name="edit suite", **{**fields, "event_types": ["video.failed"]})
    rotated = webhooks.rotate_secret(first, keep_old_secret_active_for_24_hours=True)

    assert (changed.name, changed.event_types) == ("edit suite", ["video.failed"])
    assert made[0].signing_secret != rotated.signing_secret
    assert [each.id for each in webhooks.list(limit=2)] == [each.id for each in reversed(made)]
    assert webhooks.retrieve(first).signing_secret_hint == f"whsec_...{rotated.signing_secret[-4:]}"
    assert {"video.completed", "video.failed"} <= set(webhooks.event_types.list().data)
    assert webhooks.delete(first).deleted
    with pytest.raises(openai.NotFoundError):
        webhooks.retrieve(first)


# The asynchronous client


async def _everything(studio: Studio) -> dict[str, Any]:
    async with studio.async_openai("asynchronous") as client:
        with studio.agent():
            video = await client.videos.create_and_poll(**GOOD)
        content = (await client.videos.download_content(video.id)).read()
        remix = await client.videos.remix(video.id, prompt="a green square")
        by_id: Any = {"video": openai.omit, "extra_body": {"video": {"id": video.id}}}
        extension = await client.videos.extend(prompt="on", **{**by_id, "seconds": "1"})
        edit = await client.videos.edit(prompt="in blue", **by_id)
        character = await client.videos.create_character(name="a", video=("a.mp4", FILM, "video/mp4"))
        named = await client.videos.get_character(character.id or "")
        listed = [each.id async for each in client.videos.list(limit=2, order="desc")]
        deleted = await client.videos.delete(video.id)
        try:
            await client.videos.retrieve(video.id)
        except openai.NotFoundError as error:
            gone = error.code
    return {
        "status": video.status,
        "content": content == FILM,
        "remixed": remix.remixed_from_video_id == video.id,
        "seconds": (remix.seconds, extension.seconds, edit.seconds),
        "character": named.name,
        "listed": {video.id, remix.id, extension.id, edit.id} <= set(listed),
        "deleted": deleted.deleted,
        "gone": gone,
    }


def test_given_the_asynchronous_client_then_everything_works_as_well(studio: Studio) -> None:
    assert asyncio.run(_everything(studio)) == {
        "status": "completed",
        "content": True,
        "remixed": True,
        "seconds": ("2", "3", "2"),
        "character": "a",
        "listed": True,
        "deleted": True,
        "gone": "video_not_found",
    }
