"""What no character can be learned from: each is refused with the field at fault, and nothing is half made."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from jobs.pictures import MAX_RATIO
from tests.unit.lambdas.conftest import Api
from tests.unit.lambdas.test_api_characters import PATH, error_of, five, picture, url, zipped
from tests.unit.lambdas.test_api_derived import data_url, movie

BOMB = {f"{at}.png": b"\0" * 2_000_000 for at in range(8)}
WIDE = io.BytesIO()
Image.new("1", (10_000, 10_000)).save(WIDE, "PNG")


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"name": "a", "images": [url(picture(1)), url(picture(2))]}, "images", "too_few_images"),
        ({"name": "a", "images": ["x"] * 61}, "images", "array_above_max_length"),
        (five(images=[url(picture(at)) for at in (0, 40, 80, 120, 40)]), "images[4]", "duplicate_image"),
        (five(images=[*five()["images"][:4], url(b"no picture, a text named .jpg")]), "images[4]", "invalid_image"),
        (five(images=[*five()["images"][:4], url(WIDE.getvalue())]), "images[4]", "image_too_large"),
        (five(images=[*five()["images"][:4], url(picture(9, size=(32, 32)))]), "images", "too_small"),
        (five(images=[*five()["images"][:4], "/etc/passwd"]), "images[4]", "invalid_image"),
        ({"name": "a", "archive": zipped(BOMB)}, "archive", "archive_too_large"),
        ({"name": "a", "archive": url(b"PK no zip")}, "archive", "invalid_archive"),
        ({"name": "a", "archive": zipped({"../../etc/x.png": b"x"})}, "archive", "invalid_archive"),
        ({"name": "a", "archive": zipped({"run.exe": b"x"})}, "archive", "invalid_archive"),
        ({"name": "a", "archive": zipped({"a.jpg": b"a text"})}, "archive", "invalid_image"),
        ({"name": "a", "archive": zipped({"a.png": picture(1)})}, "archive", "too_few_images"),
        (five(name="../../etc/maria"), "name", "invalid_value"),
        (five(name="a\r\nX-Injected: 1"), "name", "invalid_value"),
        (five(name=".."), "name", "invalid_value"),
        (five(name="a" * 81), "name", "string_above_max_length"),
        (five(trigger="[bad]"), "trigger", "invalid_value"),
        (five(captions=["one"]), None, "invalid_value"),
        (five(video="x"), None, "invalid_value"),
        (five(model="mochi-1"), "model", "training_not_supported"),
        (five(model="nope"), "model", "model_not_found"),
        (five(training={"steps": 0}), "training.steps", "invalid_value"),
        (five(training={"epochs": 3}), "training.epochs", "unknown_parameter"),
        ({"name": "a"}, None, "invalid_value"),
        ({"name": "a", "video": data_url(b"no video")}, "video", "invalid_video"),
        ({"name": "a", "video": data_url(movie(frames=3))}, "video", "invalid_video_length"),
        ({"name": "a", "video": data_url(movie(width=32, height=32))}, "video", "too_small"),
    ],
)
def test_given_what_no_character_can_be_learned_from_then_a_400_and_nothing_is_half_made(
    refusing_api: Api, body: dict[str, Any], param: str | None, code: str
) -> None:
    answer = refusing_api("POST", PATH, json_body=body)

    assert error_of(answer) == (400, param, code), answer.body
    assert refusing_api("GET", PATH).body["data"] == []


def test_given_a_bomb_then_it_was_one() -> None:
    packed = len(base64.b64decode(zipped(BOMB).partition(",")[2]))
    assert sum(map(len, BOMB.values())) > MAX_RATIO * packed
