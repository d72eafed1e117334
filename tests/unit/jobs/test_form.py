"""Forms as the openai SDK and browsers send them."""

from typing import Any

import pytest

from jobs.errors import RequestError
from jobs.form import from_multipart, from_pairs, from_urlencoded

PNG = b"\x89PNG\r\n\x1a\n"


def multipart(*parts: tuple[str, bytes]) -> bytes:
    body = b""
    for disposition, value in parts:
        body += b"--x\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + value + b"\r\n"
    return body + b"--x--\r\n"


def test_given_a_multipart_form_then_texts_and_the_image_are_read() -> None:
    body = multipart(
        ('name="prompt"', "um coração".encode()),
        ('name="loras[][name]"', b"a"),
        ('name="loras[][scale]"', b"0.5"),
        ('name="loras[][name]"', b"b"),
        ('name="metadata[ação]"', b"1"),
        ('name="input_reference"; filename="a.png"', PNG),
    )

    raw = from_multipart(body, "multipart/form-data; boundary=x")

    assert raw["prompt"] == "um coração"
    assert raw["loras"] == [{"name": "a", "scale": "0.5"}, {"name": "b"}]
    assert raw["metadata"] == {"ação": "1"}
    assert raw["image"].startswith("data:application/octet-stream;base64,iVBORw0KGgo")


def test_given_a_urlencoded_form_then_it_is_read_too() -> None:
    raw = from_urlencoded(b"prompt=a+b&metadata%5Bx%5D=1")

    assert raw == {"prompt": "a b", "metadata": {"x": "1"}}


def test_given_json_in_a_field_then_it_is_its_value() -> None:
    raw = from_pairs([("shots", '[{"prompt": "a", "num_frames": 17}]'), ("prompt", '{"not": "json"}')])

    assert raw == {"shots": [{"prompt": "a", "num_frames": 17}], "prompt": '{"not": "json"}'}


def test_given_numbered_items_then_they_stand_in_order() -> None:
    raw = from_pairs([("shots[0][prompt]", "a"), ("shots[1][prompt]", "b"), ("shots[0][num_frames]", "17")])

    assert raw == {"shots": [{"prompt": "a", "num_frames": "17"}, {"prompt": "b"}]}


@pytest.mark.parametrize(
    "pairs",
    [
        [("prompt", "a"), ("prompt", "b")],
        [("prompt", "a"), ("prompt[x]", "b")],
        [("prompt[x]", "a"), ("prompt", "b")],
        [("shots[1][prompt]", "a")],
        [("shots[0][prompt]", "a"), ("shots[x][prompt]", "b")],
        [("shots[" + "9" * 5000 + "]", "a")],
        [("a" + "[x]" * 10_000, "a")],
        [("[x]", "a")],
        [("", "a")],
        [("a[", "a")],
        [("shots", "{")],
        [("shots", "[" * 100_000)],
        [(f"f{n}", "x") for n in range(3_000)],
    ],
)
def test_given_a_form_that_makes_no_sense_then_refused(pairs: Any) -> None:
    with pytest.raises(RequestError):
        from_pairs(pairs)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"rubbish", "multipart/form-data; boundary=x"),
        (b"rubbish", "multipart/form-data"),
        (multipart(('name="prompt"', b"\xff\xfe")), "multipart/form-data; boundary=x"),
        (multipart(('name="other"; filename="a"', b"a")), "multipart/form-data; boundary=x"),
        (multipart(("nothing", b"a")), "multipart/form-data; boundary=x"),
    ],
)
def test_given_a_body_that_is_no_form_then_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(RequestError):
        from_multipart(body, content_type)
