"""Characters by the API: what is taken in and what is refused, versions, review, use in requests, deletion."""

import base64
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from jobs import s3_keys
from jobs.character import Character
from jobs.character_store import CharacterStore
from jobs.ids import new_character_id
from jobs.job import Job
from jobs.limits import Limits
from jobs.loras import LoraShelf
from jobs.training import TrainingReference
from lambdas import services
from tests.unit.jobs.cloud import Cloud, fake_cloud
from tests.unit.jobs.made import outputs
from tests.unit.lambdas.conftest import Answer, Api
from tests.unit.lambdas.test_api_derived import complete, data_url, movie

PATH = "/v1/videos/characters"
GOOD: dict[str, Any] = {"model": "wan-mini", "prompt": "a red circle", "seconds": "2"}
_GPS, _ORIENTATION = 0x8825, 0x0112


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """One for all: no test here needs an empty one."""
    with pytest.MonkeyPatch.context() as monkeypatch, fake_cloud(monkeypatch) as made:
        yield made


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Api:
    return Api(services.keys().create(owner="default", name="tests"))


@pytest.fixture(scope="module")
def other_api(cloud: Cloud) -> Api:
    return Api(services.keys().create(owner="other", name="tests"))


def picture(
    shade: int, kind: str = "PNG", *, size: tuple[int, int] = (128, 96), exif: Image.Exif | None = None
) -> bytes:
    """A picture whose left half is of the shade."""
    file = io.BytesIO()
    image = Image.new("RGB", size, "blue")
    image.paste((shade, shade, 0), (0, 0, size[0] // 2, size[1]))
    image.save(file, kind, **({} if exif is None else {"exif": exif}))
    return file.getvalue()


def url(data: bytes) -> str:
    return "data:application/octet-stream;base64," + base64.b64encode(data).decode()


def five(**changes: Any) -> dict[str, Any]:
    return {"name": "Maria", "images": [url(picture(40 * at)) for at in range(5)], **changes}


def zipped(entries: dict[str, bytes]) -> str:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return url(file.getvalue())


def job_of(character: dict[str, Any]) -> Job:
    return services.store().get(character["versions"][-1]["video_id"])


def train(cloud: Cloud, character: dict[str, Any]) -> Job:
    """What an agent does to its newest version."""
    store, job = services.store(), job_of(character)
    store.claim(job.id, instance_id="i-1", slot="cpu", lease_s=60)
    assert job.training is not None
    cloud.put(s3_keys.character_lora(job.training.lora, "high_noise"), b"lora")
    return store.complete(job.id, 1, outputs=outputs(job), seconds_by_phase={}, cost_usd=None)


def error_of(answer: Answer) -> tuple[int, str | None, str]:
    error = answer.body["error"]
    return answer.status, error["param"], error["code"]


def test_given_five_pictures_then_the_character_is_queued_and_its_training_is_a_job(api: Api, cloud: Cloud) -> None:
    made = api("POST", PATH, json_body=five(captions=[f"zxmaria {at}" for at in range(5)])).body

    job = job_of(made)

    assert (made["status"], made["trigger"], made["num_images"], made["lora"]) == ("queued", "zxmaria", 5, None)
    assert job.training is not None
    assert [each.caption for each in job.training.references] == [f"zxmaria {at}" for at in range(5)]
    assert all(cloud.read(each.key) for each in job.training.references)
    assert {"job_id": job.id} == {key: body[key] for body in cloud.messages() for key in ("job_id",)}
    assert job.id not in [each["id"] for each in api("GET", "/v1/videos").body["data"]]
    assert api("GET", f"/v1/videos/{job.id}").body["character_id"] == made["id"]
    assert job.estimate is not None
    sample_alone = api("POST", "/v1/videos/estimate", json_body={**GOOD, "num_frames": 17, "seconds": None}).body
    assert job.estimate.seconds > 10 * sample_alone["compute_seconds"]


def test_given_more_records_than_one_page_of_the_table_holds_then_lists_and_mentions_find_all(
    api: Api, cloud: Cloud
) -> None:
    """DynamoDB ends a page at 1 MB; sixty captions and a description make a record a fiftieth of that."""
    reference = TrainingReference(key="characters/x", sha256="0" * 64, caption="à" * 800)
    first = Character(
        id=new_character_id(),
        owner="many",
        name="First",
        trigger="zxfirst",
        model="wan-mini",
        created_at=1,
        updated_at=1,
    )
    services.characters().create(first)
    for at in range(25):
        long = {"id": new_character_id(), "name": f"n{at}", "references": (reference,) * 60}
        services.characters().create(first.model_copy(update=long))

    page = services.characters().list("many", after=None, limit=25, order="desc")
    found = LoraShelf("media", services.characters(), services.store()).named("First", owner="many")

    assert (len(page.characters), page.has_more) == (25, True)
    assert found == first


def test_given_a_zip_then_its_pictures_and_captions_are_taken_in_the_order_of_names(api: Api, cloud: Cloud) -> None:
    entries = {f"maria/{at}.jpg": picture(40 * at, "JPEG") for at in range(6)}
    archive = zipped({**entries, "maria/2.txt": b"zxmaria\nin the rain", "__MACOSX/._0.jpg": b"x"})

    made = api("POST", PATH, json_body={"name": "Zip", "archive": archive}).body

    plan = job_of(made).training
    assert plan is not None
    assert [each.caption for each in plan.references] == [None, None, "zxmaria in the rain", None, None, None]
    assert plan.caption(plan.references[0]) == "zxzip"


@pytest.mark.parametrize("source", ["file", "finished"])
def test_given_a_video_then_its_frames_are_what_is_learned(api: Api, cloud: Cloud, source: str) -> None:
    video: Any = data_url(movie(frames=33))
    if source == "finished":
        video = {"id": complete(cloud, api("POST", "/v1/videos", json_body=GOOD).body["id"]).id}

    made = api("POST", PATH, json_body={"name": "a", "video": video}).body

    plan = job_of(made).training
    assert plan is not None
    assert (made["has_video"], [each.frames for each in plan.references]) == (True, [24])
    assert cloud.read(plan.references[0].key)


def test_given_a_turned_photo_with_a_place_then_it_is_upright_and_the_place_is_gone(api: Api, cloud: Cloud) -> None:
    exif = Image.Exif()
    exif[_ORIENTATION] = 6  # to be turned by 90 degrees
    exif.get_ifd(_GPS)[1] = "S"
    exif.get_ifd(_GPS)[2] = (23.0, 33.0, 1.0)
    photos = [picture(40 * at, "JPEG", exif=exif) for at in range(5)]
    assert Image.open(io.BytesIO(photos[0])).getexif().get_ifd(_GPS)

    made = api("POST", PATH, json_body=five(images=[url(photo) for photo in photos])).body

    plan = job_of(made).training
    assert plan is not None
    for reference in plan.references:
        kept = Image.open(io.BytesIO(cloud.read(reference.key)))
        assert kept.size == (96, 128)
        assert not kept.getexif()
        assert b"Exif" not in cloud.read(reference.key)


def test_given_several_then_pages_lead_from_one_to_the_next_and_others_see_none(other_api: Api, cloud: Cloud) -> None:
    third = Api(services.keys().create(owner="third", name="tests"))
    ids = [third("POST", PATH, json_body=five()).body["id"] for _ in range(3)]

    first = third("GET", PATH, query={"limit": "2", "order": "asc"}).body
    second = third("GET", PATH, query={"order": "asc", "after": first["last_id"]}).body

    assert [each["id"] for each in first["data"] + second["data"]] == ids
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert other_api("GET", PATH).body["data"] == []
    assert other_api("GET", f"{PATH}/{ids[0]}").status == 404


def test_given_a_trained_character_when_named_in_a_prompt_then_its_trigger_and_lora_take_its_place(
    api: Api, cloud: Cloud
) -> None:
    made = api("POST", PATH, json_body=five(name="Ana Clara", trigger="zxana")).body
    waiting = api("POST", "/v1/videos", json_body={**GOOD, "prompt": "[character:ana clara] walks"})
    train(cloud, made)

    said = api("POST", "/v1/videos", json_body={**GOOD, "prompt": "[character:ana clara] walks, [character:Ana Clara]"})
    listed = api("POST", "/v1/videos", json_body={**GOOD, "loras": [{"character": made["id"], "scale": 0.5}]})
    both = api(
        "POST",
        "/v1/videos",
        json_body={
            **GOOD,
            "prompt": None,
            "shots": [{"prompt": "[character:Ana Clara] sits"}, {"prompt": "rain"}],
            "loras": [{"character": "ana clara", "scale": 0.9}],
        },
    )

    assert error_of(waiting) == (400, "prompt", "character_not_ready")
    name = f"{made['id']}.v1"
    assert (said.body["prompt"], said.body["loras"]) == ("zxana walks, zxana", [{"name": name, "scale": 1.0}])
    assert listed.body["loras"] == [{"name": name, "scale": 0.5}]
    assert both.body["loras"] == [{"name": name, "scale": 0.9}]
    assert [shot["prompt"] for shot in both.body["shots"]] == ["zxana sits", "rain"]
    shown = api("GET", f"{PATH}/{made['id']}").body
    assert (shown["status"], shown["lora"], shown["progress"]) == ("ready", name, 100)


def test_given_a_character_that_cannot_be_used_then_it_is_refused_by_name(
    api: Api, other_api: Api, cloud: Cloud
) -> None:
    made = api("POST", PATH, json_body=five(name="Bia")).body
    train(cloud, made)

    def refusal(given: dict[str, Any], as_: Api = api) -> tuple[int, str | None, str]:
        return error_of(as_("POST", "/v1/videos", json_body={**GOOD, **given}))

    image = url(picture(3))
    elsewhere = {"model": "wan-mini-i2v", "image": image, "loras": [{"character": "Bia"}]}
    assert refusal(elsewhere) == (400, "loras[0].character", "character_of_another_model")
    in_four_steps = api(
        "POST", "/v1/videos", json_body={**GOOD, "model": "wan-mini-4step", "prompt": "[character:Bia]"}
    )
    assert in_four_steps.body["loras"][0]["name"] == f"{made['id']}.v1"
    assert refusal({"prompt": "[character:Bia]"}, other_api) == (400, "prompt", "character_not_found")
    assert refusal({"loras": [{"name": made["id"]}]}, other_api) == (400, "loras[0].name", "character_not_found")
    assert refusal({"loras": [{"name": f"{made['id']}.v2"}]}) == (400, "loras[0].name", "character_not_ready")
    assert refusal({"loras": [{"character": "Nobody"}]}) == (400, "loras[0].character", "character_not_found")
    assert refusal({"loras": [{"name": "x", "character": "Bia"}]}) == (400, "loras[0]", "invalid_value")
    too_many = [{"character": "Bia"}, *({"name": "missing"} for _ in range(4))]
    assert refusal({"loras": too_many})[1] == "loras"


def test_given_a_second_training_then_it_is_the_next_version_and_the_first_stays(api: Api, cloud: Cloud) -> None:
    made = api("POST", PATH, json_body=five(name="Eva", training={"steps": 50, "rank": 4})).body
    again = api("POST", f"{PATH}/{made['id']}/train", json_body={"rank": 8})
    train(cloud, made)

    second = api("POST", f"{PATH}/{made['id']}/train", json_body={"rank": 8}).body

    assert error_of(again) == (400, None, "training_under_way")
    plan = job_of(second).training
    assert plan is not None
    assert (plan.version, plan.settings.steps, plan.settings.rank, len(plan.references)) == (2, 50, 8, 5)
    assert (second["status"], second["lora"]) == ("queued", f"{made['id']}.v1")
    use = api("POST", "/v1/videos", json_body={**GOOD, "loras": [{"character": "Eva", "version": 1}]})
    assert use.body["loras"][0]["name"] == f"{made['id']}.v1"
    assert api("POST", f"{PATH}/{made['id']}/cancel").body["status"] == "failed"
    assert api("GET", f"{PATH}/{made['id']}").body["error"]["code"] == "training_cancelled"
    assert error_of(api("POST", f"{PATH}/{made['id']}/cancel")) == (400, None, "not_cancellable")


def test_given_a_training_that_cannot_be_then_it_is_refused_before_pictures_are_generated(
    api: Api, cloud: Cloud
) -> None:
    body = {"name": "Lobo", "description": "a grey wolf", "model": "wan-mini", "training": {"clip_frames": 7}}

    cloud.messages()  # those of the tests before are taken out
    refused = error_of(api("POST", PATH, json_body=body))

    assert refused == (400, "training.clip_frames", "invalid_value")
    assert cloud.messages() == []


def test_given_a_limit_when_it_is_reached_midway_through_the_pictures_then_none_of_them_is_kept(cloud: Cloud) -> None:
    key = services.keys().create(owner="drafting", name="tests", limits=Limits(max_concurrent_jobs=3))
    api = Api(key)

    refused = api("POST", PATH, json_body={"name": "Lobo", "description": "a grey wolf", "num_images": 7})

    assert error_of(refused) == (429, None, "max_concurrent_jobs_reached")
    assert api("GET", "/v1/videos").body["data"] == []
    assert api("GET", PATH).body["data"] == []


def test_given_a_description_then_pictures_are_generated_reviewed_and_then_learned(api: Api, cloud: Cloud) -> None:
    body = {"name": "Lobo", "description": "a grey wolf", "num_images": 7}
    made = api("POST", PATH, json_body=body).body
    pictures = api("GET", f"{PATH}/{made['id']}/images").body["data"]
    ids = [each["id"] for each in pictures]
    jobs = [services.store().get(job_id) for job_id in ids]
    early = api("POST", f"{PATH}/{made['id']}/images", json_body={"accept": [ids[0]]})
    for job in jobs:
        complete(cloud, job.id)
    few = api("POST", f"{PATH}/{made['id']}/train", json_body={})

    reviewed = api("POST", f"{PATH}/{made['id']}/images", json_body={"accept": ids[:5], "reject": ids[5:]}).body
    trained = api("POST", f"{PATH}/{made['id']}/train", json_body={"steps": 30}).body

    assert (made["status"], len(ids), len({job.request.seed for job in jobs})) == ("generating", 7, 7)
    assert {job.request.prompt for job in jobs} == {"a grey wolf"}
    assert error_of(early) == (400, "accept[0]", "picture_not_ready")
    assert error_of(few) == (400, "accept", "too_few_images")
    assert [each["review"] for each in reviewed["data"]] == ["accepted"] * 5 + ["rejected"] * 2
    assert pictures[0]["url"] == f"/v1/videos/{ids[0]}/content?variant=thumbnail"
    assert (trained["status"], trained["num_images"]) == ("queued", 5)
    plan = job_of(trained).training
    assert plan is not None
    assert all(each.frames == 1 and cloud.read(each.key) for each in plan.references)
    assert (
        error_of(api("POST", f"{PATH}/{made['id']}/images", json_body={"accept": ["video_x"]}))[2]
        == "picture_not_found"
    )


def test_given_a_training_under_way_then_losses_samples_and_plot_are_shown(api: Api, cloud: Cloud) -> None:
    made = api("POST", PATH, json_body=five(name="Gil")).body
    job = job_of(made)
    services.store().claim(job.id, instance_id="i-1", slot="cpu", lease_s=60)
    before = api("GET", f"{PATH}/{made['id']}/training").body
    cloud.put(s3_keys.training_file(job.id, 1, "losses.json"), b'{"losses": [0.9, 0.5, 0.4]}')
    cloud.put(s3_keys.training_file(job.id, 1, "sample-000002.jpg"), b"jpeg")

    shown = api("GET", f"{PATH}/{made['id']}/training", query={"version": "1"}).body
    plot = api("GET", f"{PATH}/{made['id']}/training/loss.svg")

    assert (before["losses"], before["loss"], before["samples"]) == ([], None, [])
    assert (shown["losses"], shown["step"], shown["status"]) == ([0.9, 0.5, 0.4], 3, "training")
    assert [(each["step"], "sample-000002.jpg" in each["url"]) for each in shown["samples"]] == [(2, True)]
    assert plot.headers["content-type"] == "image/svg+xml"
    assert plot.body.count("<polyline") == 2
    assert error_of(api("GET", f"{PATH}/{made['id']}/training", query={"version": "2"}))[2] == "version_not_found"
    not_yet = api("GET", f"{PATH}/{made['id']}/lora")
    assert error_of(not_yet) == (400, "version", "character_not_ready")


def test_given_a_ready_version_then_its_file_can_be_taken_home(api: Api, cloud: Cloud) -> None:
    made = api("POST", PATH, json_body=five(name="Ida")).body
    train(cloud, made)

    answer = api("GET", f"{PATH}/{made['id']}/lora")

    assert answer.status == 302
    assert f"{made['id']}.v1.high_noise.diffusers.safetensors" in answer.headers["location"]
    none = api("GET", f"{PATH}/{made['id']}/lora", query={"expert": "low_noise"})
    assert error_of(none) == (400, "expert", "expert_not_found")
    assert error_of(api("GET", f"{PATH}/{made['id']}/lora", query={"layout": "pickle"}))[1] == "layout"


def test_given_a_character_when_deleted_then_everything_derived_from_it_goes_too(api: Api, cloud: Cloud) -> None:
    made = api("POST", PATH, json_body=five(name="Leo")).body
    job = train(cloud, made)
    cloud.put(s3_keys.training_file(job.id, 1, "sample-000002.jpg"), b"jpeg")
    cloud.put(s3_keys.checkpoint(job.id, 4), b"checkpoint")
    under_way = api("POST", f"{PATH}/{made['id']}/train", json_body={}).body
    running = job_of(under_way)

    assert api("DELETE", f"{PATH}/{made['id']}").body["deleted"] is True

    assert api("GET", f"{PATH}/{made['id']}").status == 404
    assert api("GET", f"/v1/videos/{running.id}").status == 404
    left = [key for key in cloud.object_keys() if made["id"] in key or job.id in key or running.id in key]
    assert left == []
    use = api("POST", "/v1/videos", json_body={**GOOD, "prompt": "[character:Leo]"})
    assert error_of(use) == (400, "prompt", "character_not_found")


def test_given_the_same_request_again_then_the_same_character_and_another_body_is_a_422(api: Api, cloud: Cloud) -> None:
    body, key = five(name="Flor"), {"idempotency-key": "flor-1"}
    made, again = (api("POST", PATH, json_body=body, headers=key).body["id"] for _ in range(2))
    retried = api("POST", PATH, json_body=body, headers={"x-stainless-retry-count": "1"}).body["id"]
    retried_again = api("POST", PATH, json_body=body, headers={"x-stainless-retry-count": "1"}).body["id"]

    assert again == made
    assert retried == retried_again != made
    assert api("POST", PATH, json_body=body).body["id"] not in {made, retried}
    for path, other in ((PATH, {**body, "name": "Vadinho"}), ("/v1/videos", GOOD)):
        refused = api("POST", path, json_body=other, headers=key)
        assert (refused.status, refused.body["error"]["code"]) == (422, "idempotency_key_reused")
    api("DELETE", f"{PATH}/{made}")
    gone = api("POST", PATH, json_body=body, headers=key)
    assert error_of(gone) == (400, "Idempotency-Key", "character_deleted")


def test_given_two_identical_requests_at_the_same_moment_then_one_character_and_one_training(
    api: Api, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, key = five(name="Gêmea"), {"idempotency-key": "one"}
    faster: list[str] = []
    original = CharacterStore.create
    before = set(cloud.object_keys("characters/"))

    def second_comes_first(self: CharacterStore, character: Any, **record: Any) -> bool:
        if not faster:
            faster.append("")
            faster[0] = api("POST", PATH, json_body=body, headers=key).body["id"]
        return original(self, character, **record)

    monkeypatch.setattr(CharacterStore, "create", second_comes_first)
    made = api("POST", PATH, json_body=body, headers=key).body["id"]

    assert made == faster[0]
    new = set(cloud.object_keys("characters/")) - before
    assert len(new) == 5
    assert all(made in each for each in new)
