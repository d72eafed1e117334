"""What the API refuses: always a 4xx in one shape, and nothing comes of it (the fixture looks)."""

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from tests.unit.lambdas.conftest import Answer, Api

GOOD: dict[str, Any] = {"model": "wan-mini", "prompt": "a red circle", "seconds": "2"}


def error_of(answer: Answer) -> dict[str, Any]:
    assert set(answer.body) == {"error"}
    assert set(answer.body["error"]) == {"message", "type", "param", "code"}
    return dict(answer.body["error"])


def png(width: int = 128, height: int = 128) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "image",
    [
        "http://example.org/a.png",
        "https://127.0.0.1/a.png",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/a.png",
        "upload_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "upload_../../videos/x",
        "file:///etc/passwd",
        "data:image/png;base64,!!!",
        "data:image/png;base64," + base64.b64encode(b"not an image").decode(),
        "data:image/png;base64," + base64.b64encode(png()[:-40]).decode(),
        "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode(),
        "data:image/png;base64," + base64.b64encode(png(20_000, 20_000)).decode(),
    ],
)
def test_given_what_is_no_usable_image_then_a_400_naming_it(refusing_api: Api, image: str) -> None:
    answer = refusing_api("POST", "/v1/videos", json_body={**GOOD, "model": "wan-mini-i2v", "image": image})

    assert answer.status == 400
    assert error_of(answer)["param"] == "image"


BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"prompt"',
    b"\xff\xfe",
    b'{"prompt": "a", "seed": NaN}',
    b'{"prompt": "a", "seed": ' + b"1" * 10_000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"prompt": "\\ud800"}',
    b'{"prompt": "a", "shots": ' + json.dumps([{"prompt": "x"}] * 10_000).encode() + b"}",
    b"\x00" * 100,
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("path", ["/v1/videos", "/v1/videos/estimate"])
def test_given_a_body_that_is_no_request_then_a_400(refusing_api: Api, path: str, body: bytes) -> None:
    answer = refusing_api("POST", path, body=base64.b64encode(body).decode(), base64=True)

    assert answer.status == 400
    assert error_of(answer)["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data", "multipart/form-data; boundary=x", "x" * 9000, ""]
)
def test_given_another_content_type_then_a_400(refusing_api: Api, kind: str) -> None:
    answer = refusing_api("POST", "/v1/videos", body="rubbish", headers={"content-type": kind})

    assert answer.status == 400
    assert error_of(answer)["message"]


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer sk-wrong", "Bearer " + "x" * 9000]
)
def test_given_no_valid_key_then_a_401(refusing_api: Api, header: str | None) -> None:
    answer = Api(None)("GET", "/v1/videos", headers={} if header is None else {"authorization": header})

    assert answer.status == 401
    assert error_of(answer)["code"] == "invalid_api_key"


@pytest.mark.parametrize("video_id", ["x", "..", "%2e%2e", "video_" + "0" * 2000, "JOB%23x", "video_' OR 1=1"])
def test_given_what_is_no_id_then_a_404(refusing_api: Api, video_id: str) -> None:
    assert refusing_api("GET", f"/v1/videos/{video_id}").status == 404


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": "٣"}, "limit"),
        ({"order": "up"}, "order"),
        ({"status": "done"}, "status"),
        ({"after": "x"}, "after"),
        ({"colour": "x"}, "colour"),
    ],
)
def test_given_a_wrong_parameter_then_a_400_naming_it(refusing_api: Api, query: dict[str, str], param: str) -> None:
    answer = refusing_api("GET", "/v1/videos", query=query)

    assert answer.status == 400
    assert error_of(answer)["param"] == param


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/v1/nope"), ("PATCH", "/v1"), ("GET", "/v1/videos/a/b/c")]
)
def test_given_an_unknown_route_then_a_404_in_the_same_shape(refusing_api: Api, method: str, path: str) -> None:
    answer = refusing_api(method, path)

    assert answer.status == 404
    assert error_of(answer)["code"] == "unknown_url"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/v1/videos", "GET, POST"),
        ("PATCH", "/v1/videos/estimate", "POST"),
        ("PUT", "/v1/videos/x", "DELETE, GET"),
        ("GET", "/v1/videos/edits", "POST"),
        ("DELETE", "/v1/videos/characters", "GET, POST"),
    ],
)
def test_given_a_method_that_a_path_does_not_take_then_a_405_with_those_it_does(
    refusing_api: Api, method: str, path: str, allowed: str
) -> None:
    answer = refusing_api(method, path)

    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert error_of(answer)["code"] == "method_not_allowed"
