"""Abuse of the API: a clear 4xx, nothing left behind, and honest traffic goes on."""

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import pytest

from tests.unit.lambdas.conftest import Answer, Api
from tests.unit.lambdas.test_api_refusals import error_of

GOOD: dict[str, Any] = {"model": "wan-mini", "prompt": "a red circle"}
TEN_MB = 10 * 2**20
CPU_BOUND_S = 5.0  # not a timing: what is quadratic takes minutes at these sizes


def nested(depth: int) -> bytes:
    return b'{"prompt": "a", "metadata": ' + b'{"a": ' * depth + b"1" + b"}" * depth + b"}"


HEAVY = {
    "ten megabytes of prompt": json.dumps({**GOOD, "prompt": "x" * TEN_MB}).encode(),
    "ten megabytes of one number": b'{"prompt": "a", "seed": ' + b"9" * TEN_MB + b"}",
    "ten megabytes of brackets": b"[" * TEN_MB,
    "nested 1,000 deep": nested(1_000),
    "nested 100,000 deep": nested(100_000),
    "ten thousand shots": json.dumps({**GOOD, "shots": [{"prompt": "x"}] * 10_000}).encode(),
    "a hundred thousand fields": json.dumps({f"f{n}": 1 for n in range(100_000)}).encode(),
    "a hundred thousand metadata": json.dumps({**GOOD, "metadata": {f"f{n}": "1" for n in range(100_000)}}).encode(),
}


def send(api: Api, body: bytes, **how: Any) -> Answer:
    return api("POST", "/v1/videos", body=base64.b64encode(body).decode(), base64=True, **how)


@pytest.mark.parametrize("body", HEAVY.values(), ids=HEAVY)
def test_given_a_body_made_to_hurt_then_a_4xx_soon_and_honest_traffic_goes_on(refusing_api: Api, body: bytes) -> None:
    began = time.process_time()
    answer = send(refusing_api, body)

    assert 400 <= answer.status < 500
    assert len(json.dumps(error_of(answer))) < 2_000  # the caller's text does not come back
    assert time.process_time() - began < CPU_BOUND_S
    assert refusing_api("GET", "/v1/videos").status == 200


@pytest.mark.parametrize(
    "pairs",
    [
        b"a=b&" * 100_000,
        b"metadata[" + b"a][" * 10_000 + b"]=1",
        b"shots[99999999999999999999][prompt]=a",
        b"shots[][prompt]=a&" * 10_000,
    ],
    ids=["pairs", "depth", "index", "shots"],
)
def test_given_a_form_made_to_hurt_then_a_400(refusing_api: Api, pairs: bytes) -> None:
    answer = send(refusing_api, pairs, headers={"content-type": "application/x-www-form-urlencoded"})

    assert answer.status == 400


@pytest.mark.parametrize(
    "name", ["authorization", "idempotency-key", "prefer", "content-type", "x-stainless-retry-count"]
)
@pytest.mark.parametrize(
    "value", ["x" * 100_000, "\r\nset-cookie: a=b", "\x00", "‮", "é" * 300, "sk-" + "a" * 90 + "\n"]
)
def test_given_a_header_made_to_hurt_then_no_5xx_and_no_header_of_the_callers(
    refusing_api: Api, name: str, value: str
) -> None:
    answer = refusing_api("POST", "/v1/videos", body='{"prompt": ""}', headers={name: value})

    assert 400 <= answer.status < 500
    assert "set-cookie" not in answer.headers


TRICKS = [
    "../../etc/passwd",
    "..%2f..%2fx",
    "a\r\nX-Evil: 1",
    "a\x00b",
    "‮gpj.exe",
    "ａ／ｂ",
    "a" * 5_000,
    "${jndi:ldap://x}",
    "é̀" * 50,
]


@pytest.mark.parametrize("text", TRICKS)
@pytest.mark.parametrize(
    "path", ["/v1/videos/{}", "/v1/videos/{}/content", "/v1/models/{}", "/v1/videos/characters/{}"]
)
def test_given_a_trick_in_a_path_then_a_4xx_that_does_not_repeat_it(refusing_api: Api, path: str, text: str) -> None:
    for shown in (text, quote(text, safe="")):
        answer = refusing_api("GET", path.format(shown))

        assert 400 <= answer.status < 500
        assert text not in json.dumps(answer.body, ensure_ascii=False) + str(answer.headers)


@pytest.mark.parametrize("text", TRICKS)
def test_given_a_trick_in_a_loras_name_then_it_is_refused_before_it_is_a_key(refusing_api: Api, text: str) -> None:
    answer = send(refusing_api, json.dumps({**GOOD, "loras": [{"name": text}]}).encode())

    assert answer.status == 400
