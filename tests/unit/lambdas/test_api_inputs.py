"""What a request may be made of: images by every way in, uploads, LoRAs, characters, licensed models."""

import base64
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from jobs.addresses import AddressRefused, Fetched, FetchError, Gate, TooLarge
from jobs.character_store import CharacterMoved, CharacterStore
from jobs.images import Images
from jobs.job import JobError
from lambdas import services
from tests.unit.jobs.cloud import BUCKET, Cloud, fake_cloud
from tests.unit.lambdas.conftest import Answer, Api
from tests.unit.lambdas.test_api_derived import complete, data_url, movie

GOOD: dict[str, Any] = {"model": "wan-mini", "prompt": "a red circle", "seconds": "2"}
I2V: dict[str, Any] = {**GOOD, "model": "wan-mini-i2v"}


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


def picture(kind: str = "PNG", *, size: tuple[int, int] = (128, 128), orientation: int | None = None) -> bytes:
    file = io.BytesIO()
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1]))  # the left half
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    image.save(file, kind, exif=exif)
    return file.getvalue()


def error_of(answer: Answer) -> tuple[int, str, str]:
    error = answer.body["error"]
    return answer.status, error["param"], error["code"]


def image_of(answer: Answer, cloud: Cloud) -> Image.Image:
    assert answer.status == 200, answer
    key = services.store().get(answer.body["id"]).request.image
    assert key is not None
    return Image.open(io.BytesIO(cloud.read(key)))


def uploaded(api: Api, cloud: Cloud, data: bytes, kind: str = "image/png") -> str:
    """An upload's id, after a client has put the file at its URL."""
    answer = api("POST", "/v1/uploads", json_body={"bytes": len(data), "mime_type": kind})
    assert answer.status == 200, answer
    key = urlsplit(answer.body["url"]).path.removeprefix(f"/{BUCKET}").lstrip("/")
    cloud.s3.put_object(Bucket=BUCKET, Key=key, Body=data)
    return str(answer.body["id"])


# Images


@pytest.mark.parametrize("field", ["image", "input_reference"])
def test_given_an_uploaded_image_then_the_job_keeps_it(api: Api, cloud: Cloud, field: str) -> None:
    upload_id = uploaded(api, cloud, picture())

    value = upload_id if field == "image" else {"file_id": upload_id}
    answer = api("POST", "/v1/videos", json_body={**I2V, field: value})

    assert image_of(answer, cloud).size == (128, 128)


def test_given_another_owners_upload_then_there_is_none(api: Api, other_api: Api, cloud: Cloud) -> None:
    upload_id = uploaded(api, cloud, picture())

    answer = other_api("POST", "/v1/videos", json_body={**I2V, "image": upload_id})

    assert error_of(answer) == (400, "image", "upload_not_found")


@pytest.mark.parametrize(("orientation", "red_at"), [(1, (0, 32)), (3, (127, 32)), (6, (32, 0)), (8, (32, 127))])
def test_given_a_turned_photo_then_it_is_kept_upright(
    api: Api, cloud: Cloud, orientation: int, red_at: tuple[int, int]
) -> None:
    photo = picture("JPEG", size=(128, 64), orientation=orientation)
    turned = orientation in {6, 8}

    body = {**I2V, "image": "data:image/jpeg;base64," + base64.b64encode(photo).decode()}
    kept = image_of(api("POST", "/v1/videos", json_body=body), cloud)

    assert kept.size == ((64, 128) if turned else (128, 64))
    red, _, blue = kept.convert("RGB").getpixel(red_at)  # type: ignore[misc]
    assert red > 200 > 50 > blue


class Web(Gate):
    """Stands in for the network; the address rules themselves are tested where they are."""

    def __init__(self, answer: Fetched | FetchError) -> None:
        object.__setattr__(self, "answer", answer)

    def fetch(self, url: str, **_options: Any) -> Fetched:
        answer: Fetched | FetchError = self.answer  # type: ignore[attr-defined]
        if isinstance(answer, FetchError):
            raise answer
        return answer


def test_given_a_url_then_its_image_is_taken_in(cloud: Cloud) -> None:
    images = Images(services.media(), Web(Fetched(200, {}, picture(), "https://example.org/a.png")))

    assert images.read("https://example.org/a.png", "default")[1:] == ("png", 128, 128)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Fetched(404, {}, b"", "https://example.org"), "image_not_fetched"),
        (Fetched(200, {"content-type": "image/png"}, b"<html>", "https://example.org"), "invalid_image"),
        (AddressRefused("The URL's host has an address that is not public."), "image_not_fetched"),
        (TooLarge("too large"), "image_too_large"),
    ],
)
def test_given_a_url_without_an_image_then_it_says_so(cloud: Cloud, answer: Any, code: str) -> None:
    from jobs.errors import RequestError

    with pytest.raises(RequestError) as refused:
        Images(services.media(), Web(answer)).read("https://example.org/a.png", "default")

    assert (refused.value.param, refused.value.code) == ("image", code)


# Uploads


def test_given_an_upload_then_its_url_is_signed_for_that_size_and_type_alone(api: Api) -> None:
    upload = api("POST", "/v1/uploads", json_body={"bytes": 5_000_000, "content_type": "image/png"}).body

    signed = parse_qs(urlsplit(upload["url"]).query)["X-Amz-SignedHeaders"][0].split(";")
    assert {"content-length", "content-type", "host"} <= set(signed)
    assert upload["headers"] == {"Content-Type": "image/png", "Content-Length": "5000000"}
    assert upload["expires_at"] > upload["created_at"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"mime_type": "image/png"}, "bytes"),
        ({"bytes": 0, "mime_type": "image/png"}, "bytes"),
        ({"bytes": 10**9, "mime_type": "video/mp4"}, "bytes"),
        ({"bytes": 60_000_000, "mime_type": "image/png"}, "bytes"),
        ({"bytes": 1, "mime_type": "text/html"}, "mime_type"),
        ({"bytes": 1}, None),
        ({"bytes": 1, "mime_type": "image/png", "key": "videos/x"}, "key"),
    ],
)
def test_given_a_wrong_upload_then_a_400(api: Api, body: dict[str, Any], param: str | None) -> None:
    answer = api("POST", "/v1/uploads", json_body=body)

    assert (answer.status, answer.body["error"]["param"]) == (400, param)


def test_given_an_uploaded_video_then_it_can_be_extended(api: Api, cloud: Cloud) -> None:
    upload_id = uploaded(api, cloud, movie(), "video/mp4")

    body = {"prompt": "it stops", "seconds": "1", "video": {"id": upload_id}, "model": "wan-mini-i2v"}
    answer = api("POST", "/v1/videos/extensions", json_body=body)

    assert (answer.status, answer.body["num_frames"]) == (200, 49)


# LoRAs and licences


def test_given_a_lora_that_is_not_there_then_the_door_says_which(api: Api, cloud: Cloud) -> None:
    cloud.put("loras/here.safetensors", b"x")

    answer = api("POST", "/v1/videos", json_body={**GOOD, "loras": [{"name": "here"}, {"name": "gone"}]})

    assert error_of(answer) == (400, "loras[1].name", "lora_not_found")


def test_given_a_licence_that_forbids_it_then_refused_until_the_operator_acknowledges(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"model": "ltx-video", "prompt": "a"}
    refused = api("POST", "/v1/videos", json_body=body)
    quote = api("POST", "/v1/videos/estimate", json_body=body).body

    monkeypatch.setattr(services.admission(), "_acknowledged", ("ltx-video",))
    acknowledged = api("POST", "/v1/videos/estimate", json_body=body).body

    assert error_of(refused) == (400, "model", "licence_not_acknowledged")
    assert (quote["feasible"], "RAIL-M" in quote["reason"]) == (False, True)
    assert acknowledged["feasible"] is not False


# Characters


def test_given_a_video_then_the_character_is_queued_and_says_that_nobody_trains_it(api: Api, cloud: Cloud) -> None:
    body = {"name": "Dona Flor", "video": data_url(movie(frames=33))}
    made = api("POST", "/v1/videos/characters", json_body=body).body

    again = api("GET", f"/v1/videos/characters/{made['id']}").body

    assert made == again
    assert (made["name"], made["status"], made["has_video"], made["lora"]) == ("Dona Flor", "queued", True, None)
    assert "starts none by itself" in made["detail"]


def test_given_images_then_each_is_checked_and_kept(api: Api, cloud: Cloud) -> None:
    images = [uploaded(api, cloud, picture()), "data:image/png;base64," + base64.b64encode(picture("WEBP")).decode()]

    made = api("POST", "/v1/videos/characters", json_body={"name": "a", "images": images}).body

    keys = services.characters().get(made["id"], owner="default").images
    assert [key.rpartition(".")[2] for key in keys] == ["png", "webp"]
    assert all(cloud.read(key) for key in keys)


def test_given_a_characters_request_again_then_the_same_character_and_another_body_is_a_422(
    api: Api, cloud: Cloud
) -> None:
    body = {"name": "Dona Flor", "images": ["data:image/png;base64," + base64.b64encode(picture()).decode()]}
    path, key = "/v1/videos/characters", {"idempotency-key": "flor-1"}
    made, again = (api("POST", path, json_body=body, headers=key).body["id"] for _ in range(2))
    retried = api("POST", path, json_body=body, headers={"x-stainless-retry-count": "1"}).body["id"]
    retried_again = api("POST", path, json_body=body, headers={"x-stainless-retry-count": "1"}).body["id"]

    assert again == made
    assert retried == retried_again != made
    assert api("POST", path, json_body=body).body["id"] not in {made, retried}
    for other in ((path, {**body, "name": "Vadinho"}), ("/v1/videos", GOOD)):
        refused = api("POST", other[0], json_body=other[1], headers=key)
        assert (refused.status, refused.body["error"]["code"]) == (422, "idempotency_key_reused")
    api("DELETE", f"{path}/{made}")
    gone = api("POST", path, json_body=body, headers=key)
    assert error_of(gone) == (400, "Idempotency-Key", "character_deleted")


def test_given_two_identical_requests_at_the_same_moment_then_one_character(
    api: Api, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"name": "a", "images": ["data:image/png;base64," + base64.b64encode(picture()).decode()]}
    key, faster = {"idempotency-key": "one"}, []
    original = CharacterStore.create
    before = len(api("GET", "/v1/videos/characters", query={"limit": "100"}).body["data"])

    def second_comes_first(self: CharacterStore, character: Any, **record: Any) -> bool:
        if not faster:
            faster.append("")
            faster[0] = api("POST", "/v1/videos/characters", json_body=body, headers=key).body["id"]
        return original(self, character, **record)

    monkeypatch.setattr(CharacterStore, "create", second_comes_first)
    made = api("POST", "/v1/videos/characters", json_body=body, headers=key).body["id"]

    assert made == faster[0]
    assert len(api("GET", "/v1/videos/characters", query={"limit": "100"}).body["data"]) == before + 1


def test_given_a_finished_video_then_it_is_what_the_character_is_learned_from(api: Api, cloud: Cloud) -> None:
    job = complete(cloud, api("POST", "/v1/videos", json_body=GOOD).body["id"])

    made = api("POST", "/v1/videos/characters", json_body={"name": "a", "video": {"id": job.id}}).body

    assert made["has_video"] is True


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"video": "x"}, "name"),
        ({"name": "a"}, None),
        ({"name": "a", "video": "x", "images": ["x"]}, None),
        ({"name": "a\r\nX-Injected: 1", "images": ["x"]}, "name"),
        ({"name": "a" * 81, "images": ["x"]}, "name"),
        ({"name": "a", "images": []}, "images"),
        ({"name": "a", "images": ["x"] * 21}, "images"),
        ({"name": "a", "images": ["/etc/passwd"]}, "image"),
        ({"name": "a", "video": data_url(b"no video")}, "video"),
        ({"name": "a", "video": data_url(movie(frames=3))}, "video"),
        ({"name": "a", "video": data_url(movie(width=32, height=32))}, "video"),
        ({"name": "a", "model": "nope", "images": ["x"]}, "model"),
    ],
)
def test_given_what_no_character_can_be_learned_from_then_a_400(
    api: Api, body: dict[str, Any], param: str | None
) -> None:
    answer = api("POST", "/v1/videos/characters", json_body=body)

    assert (answer.status, answer.body["error"]["param"]) == (400, param)


def test_given_several_then_pages_lead_from_one_to_the_next_and_others_see_none(
    api: Api, other_api: Api, cloud: Cloud
) -> None:
    third = Api(services.keys().create(owner="third", name="tests"))
    image = "data:image/png;base64," + base64.b64encode(picture()).decode()
    ids = [
        third("POST", "/v1/videos/characters", json_body={"name": "a", "images": [image]}).body["id"] for _ in range(3)
    ]

    first = third("GET", "/v1/videos/characters", query={"limit": "2", "order": "asc"}).body
    second = third("GET", "/v1/videos/characters", query={"order": "asc", "after": first["last_id"]}).body

    assert [each["id"] for each in first["data"] + second["data"]] == ids
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert other_api("GET", "/v1/videos/characters").body["data"] == []
    assert other_api("GET", f"/v1/videos/characters/{ids[0]}").status == 404


def test_given_a_character_through_its_states_then_only_a_ready_one_is_a_lora(api: Api, cloud: Cloud) -> None:
    image = "data:image/png;base64," + base64.b64encode(picture()).decode()
    made = api("POST", "/v1/videos/characters", json_body={"name": "a", "images": [image]}).body
    body = {**GOOD, "loras": [{"name": made["id"]}]}
    store = services.characters()

    queued = api("POST", "/v1/videos", json_body=body)
    store.training(made["id"])
    cloud.put(f"loras/{made['id']}.safetensors", b"x")
    store.ready(made["id"])
    ready = api("POST", "/v1/videos", json_body=body)

    assert error_of(queued) == (400, "loras[0].name", "character_not_ready")
    assert ready.status == 200
    assert api("GET", f"/v1/videos/characters/{made['id']}").body["lora"] == made["id"]
    with pytest.raises(CharacterMoved):
        store.failed(made["id"], JobError(code="x", message="x"))


def test_given_another_owners_character_then_it_is_no_lora_of_mine(api: Api, other_api: Api, cloud: Cloud) -> None:
    image = "data:image/png;base64," + base64.b64encode(picture()).decode()
    made = api("POST", "/v1/videos/characters", json_body={"name": "a", "images": [image]}).body
    cloud.put(f"loras/{made['id']}.safetensors", b"x")

    answer = other_api("POST", "/v1/videos", json_body={**GOOD, "loras": [{"name": made["id"]}]})

    assert error_of(answer) == (400, "loras[0].name", "lora_not_found")


def test_given_a_deleted_character_then_it_is_gone(api: Api, cloud: Cloud) -> None:
    image = "data:image/png;base64," + base64.b64encode(picture()).decode()
    made = api("POST", "/v1/videos/characters", json_body={"name": "a", "images": [image]}).body

    assert api("DELETE", f"/v1/videos/characters/{made['id']}").body["deleted"] is True

    assert api("GET", f"/v1/videos/characters/{made['id']}").status == 404
