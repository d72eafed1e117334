"""What a request may be made of: images by every way in, uploads, LoRAs, licensed models."""

import base64
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from jobs.addresses import AddressRefused, Fetched, FetchError, Gate, TooLarge
from jobs.images import Images
from lambdas import services
from tests.unit.jobs.cloud import BUCKET, Cloud, fake_cloud
from tests.unit.lambdas.conftest import Answer, Api
from tests.unit.lambdas.test_api_derived import movie

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


def picture(
    kind: str = "PNG",
    *,
    size: tuple[int, int] = (128, 128),
    orientation: int | None = None,
    tags: dict[int, int] | None = None,
    exif: bytes | None = None,
) -> bytes:
    file = io.BytesIO()
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1]))  # the left half
    written = Image.Exif()
    if orientation is not None:
        written[0x0112] = orientation
    for tag, value in (tags or {}).items():
        written[tag] = value
    image.save(file, kind, exif=written if exif is None else exif)
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


@pytest.mark.parametrize("tag", [0x011A, 0x0100, 0x0128])  # XResolution, ImageWidth, ResolutionUnit
def test_given_a_turned_photo_with_a_number_written_as_text_then_it_is_kept_upright(
    api: Api, cloud: Cloud, tag: int
) -> None:
    photo = mistyped(picture("JPEG", size=(128, 64), orientation=6, tags={tag: 72}), tag)

    body = {**I2V, "image": "data:image/jpeg;base64," + base64.b64encode(photo).decode()}
    kept = image_of(api("POST", "/v1/videos", json_body=body), cloud)

    assert kept.size == (64, 128)
    assert not kept.getexif()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0neither MM nor II", b"Exif\0\0MM\0*"])
def test_given_exif_that_is_none_then_the_picture_is_kept_as_it_stands_and_without_it(
    api: Api, cloud: Cloud, kind: str, exif: bytes
) -> None:
    photo = picture(kind, size=(128, 64), exif=exif)

    body = {**I2V, "image": f"data:image/{kind.lower()};base64," + base64.b64encode(photo).decode()}
    kept = image_of(api("POST", "/v1/videos", json_body=body), cloud)

    assert (kept.size, "exif" in kept.info) == ((128, 64), False)


def mistyped(photo: bytes, tag: int) -> bytes:
    """The photo with this tag of its EXIF data said to be ASCII."""
    entry = photo.index(tag.to_bytes(2, "big"), photo.index(b"MM\0*"))
    ascii_type = (2).to_bytes(2, "big")
    return photo[: entry + 2] + ascii_type + photo[entry + 4 :]


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


def test_given_a_lora_in_two_halves_then_it_is_for_models_of_two_experts_and_needs_both(api: Api, cloud: Cloud) -> None:
    asked = {**GOOD, "loras": [{"name": "quick"}]}
    cloud.put("loras/quick.high_noise.safetensors", b"x")
    half = api("POST", "/v1/videos", json_body=asked)

    cloud.put("loras/quick.low_noise.safetensors", b"x")
    whole = api("POST", "/v1/videos", json_body=asked)
    one_expert = api("POST", "/v1/videos", json_body={**asked, "model": "wan2.2-ti2v-5b"})

    assert error_of(half) == (400, "loras[0].name", "lora_not_found")
    assert whole.status == 200
    assert error_of(one_expert) == (400, "loras[0].name", "lora_not_found")


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
