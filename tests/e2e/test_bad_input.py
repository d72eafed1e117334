"""Bad input at the HTTP door: a clear error naming the field, never a 5xx, and honest jobs go on beside it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.e2e.media import decode
from tests.e2e.studio import Studio, wait_until

GOOD = {"model": "wan-mini", "prompt": "a red circle", "size": "128x128", "seconds": "1"}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "empty prompt": ({"prompt": ""}, "prompt"),
    "blank prompt": ({"prompt": "  \n"}, "prompt"),
    "over-long prompt": ({"prompt": "a" * 100_000}, "prompt"),
    "prompt of the wrong type": ({"prompt": ["a"]}, "prompt"),
    "unknown model": ({"model": "no-such-model"}, "model"),
    "unknown field": ({"colour": "red"}, "colour"),
    "size the model cannot do": ({"size": "4096x4096"}, "size"),
    "size that is no size": ({"size": "big"}, "size"),
    "frames off the rule": ({"seconds": None, "num_frames": 18}, "num_frames"),
    "too many seconds": ({"seconds": "3600"}, "seconds"),
    "negative seed": ({"seed": -1}, "seed"),
    "huge steps": ({"num_inference_steps": 10**9}, "num_inference_steps"),
    "zero steps": ({"num_inference_steps": 0}, "num_inference_steps"),
    "guidance not a number": ({"guidance_scale": "NaN"}, "guidance_scale"),
}


def post(studio: Studio, **how: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {studio.api_key}"} | how.pop("headers", {})
    return httpx.post(f"{studio.api_base}/videos", headers=headers, timeout=60, **how)


@pytest.mark.parametrize("case", REFUSED)
def test_field_that_cannot_be_is_refused_by_its_name(studio: Studio, case: str) -> None:
    change, field = REFUSED[case]
    body = {key: value for key, value in (GOOD | change).items() if value is not None}

    answer = post(studio, json=body)

    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["param"] == field
    assert error["type"] == "invalid_request_error"
    assert error["message"]


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"{not json", "application/json"),
        (b"\xff\xfe\x00\x01", "application/json"),
        (b"[1, 2]", "application/json"),
        (b"[" * 1000 + b"]" * 1000, "application/json"),
        (b"rubbish", "multipart/form-data; boundary=x"),
        (b"", "application/json"),
        (b"prompt", "text/plain"),
    ],
)
def test_body_that_cannot_be_read_is_a_4xx_with_our_error_shape(
    studio: Studio, content: bytes, content_type: str
) -> None:
    answer = post(studio, content=content, headers={"Content-Type": content_type})

    assert 400 <= answer.status_code < 500, answer.text
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("path", ["%00", "a%0d%0aX:1", "%E2%80%AE", "..%2f..%2fx", "a" * 5_000])
def test_odd_text_in_a_path_is_a_404_with_our_error_shape(studio: Studio, path: str) -> None:
    headers = {"Authorization": f"Bearer {studio.api_key}"}
    answer = httpx.get(f"{studio.api_base}/videos/{path}", headers=headers, timeout=60)

    assert answer.status_code == 404, answer.text
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_portuguese_with_every_accent_is_welcome(studio: Studio) -> None:
    prompt = "Um coração à beira-mar: avó, avô, três pães, linguiça, fênix, ÀÉÎÕÜÇ"
    client = studio.openai()

    video = client.videos.create_and_poll(model="wan-mini", prompt=prompt, size="128x128", seconds="1")

    assert (video.status, video.prompt) == ("completed", prompt)


def test_honest_job_goes_on_beside_a_flood_of_bad_ones(studio: Studio) -> None:
    client = studio.openai()
    video = client.videos.create(model="wan-mini", prompt="a blue star", size="128x128", seconds="1")

    for change, _ in list(REFUSED.values()) * 2:
        body = {key: value for key, value in (GOOD | change).items() if value is not None}
        assert post(studio, json=body).status_code == 400

    wait_until(lambda: client.videos.retrieve(video.id).status == "completed", what="the honest job")
    assert len(decode(client.videos.download_content(video.id).read()).frames) == 17
