"""Dropped files of every kind: the prompts in them, and the line of each as an editor counts."""

from typing import Any

import pytest

from jobs.drop.entries import Entry, FileError
from jobs.drop.parse import MAX_ENTRIES, MAX_FILE_BYTES, parse_file
from jobs.errors import RequestError


def shown(entries: list[Entry]) -> list[tuple[int, Any]]:
    return [(entry.line, entry.raw.code if isinstance(entry.raw, RequestError) else entry.raw) for entry in entries]


def parsed(name: str, text: str) -> list[tuple[int, Any]]:
    return shown(parse_file(name, text.encode()))


A, B = {"prompt": "a"}, {"prompt": "b"}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("p.txt", "um coração\nem duas linhas\n", [(1, {"prompt": "um coração\nem duas linhas"})]),
        ("p.txt", "\ufeff\r\n\r\n a \r\n", [(3, A)]),
        ("P.TXT", "a", [(1, A)]),
        ("p.json", '{"prompt": "a"}', [(1, A)]),
        ("p.json", '\n[\n  {"prompt": "a"},\n\n  {\n "prompt": "b"}\n]\n', [(3, A), (5, B)]),
        ("p.json", '[{"prompt": "a"}, {"prompt": "b"}]', [(1, A), (1, B)]),
        ("p.json", '[{"prompt": "a"},\r\n 3,\r\n {"prompt": "b"}]', [(1, A), (2, "invalid_type"), (3, B)]),
        ("p.jsonl", '{"prompt": "a"}\n\n{"prompt"\n{"prompt": "b"}', [(1, A), (3, "invalid_json"), (4, B)]),
        (
            "p.jsonl",
            '[1]\n{"prompt": "a"}\n{"prompt": "a", "seed": NaN}',
            [(1, "invalid_type"), (2, A), (3, "invalid_json")],
        ),
        ("p.yaml", "prompt: a\n", [(1, A)]),
        ("p.yml", "# two\n- prompt: a\n\n-\n  prompt: b\n- 3\n", [(2, A), (5, B), (6, "invalid_type")]),
        *(
            ("p.yaml", f"- prompt: a\n- seed: {value}\n", [(1, A), (2, "invalid_yaml")])
            for value in ("2024-13-45", '!!int ""', "!!bool x", "!!timestamp x", "1:" * 200 + "1.0")
        ),
        ("p.csv", "prompt,seed\na,\n\nb,7\n", [(2, A), (4, {"prompt": "b", "seed": "7"})]),
        (
            "p.csv",
            'prompt;seed\r\n"a\r\nb";1\r\nb;2\r\n',
            [(2, {"prompt": "a\nb", "seed": "1"}), (4, {**B, "seed": "2"})],
        ),
        ("p.csv", 'prompt,seed\na,1,2\nb,\n"open,3\n', [(2, "invalid_csv"), (3, B), (4, "invalid_csv")]),
        ("p.csv", "prompt,metadata[scene]\na,12\n", [(2, {"prompt": "a", "metadata": {"scene": "12"}})]),
        ("p.csv", 'prompt,loras\na,"[{""name"": ""x""}]"\n', [(2, {"prompt": "a", "loras": [{"name": "x"}]})]),
    ],
)
def test_given_a_file_then_its_prompts_stand_at_their_lines(name: str, text: str, expected: Any) -> None:
    assert parsed(name, text) == expected


SCRIPT = """---
model: holocine-mini
num_frames: 49
---
# The lighthouse
A keeper climbs the stairs.

## Wide shot {frames=17}
The lighthouse from the sea.

### A note that belongs to the shot
Waves.

## Close-up {frames=32}
His hands.
"""


def test_given_a_script_then_its_scene_and_shots_are_one_request() -> None:
    [(line, raw)] = parsed("s.md", SCRIPT)

    assert line == 1
    assert raw["prompt"] == "A keeper climbs the stairs."
    assert (raw["model"], raw["num_frames"]) == ("holocine-mini", 49)
    assert [shot["num_frames"] for shot in raw["shots"]] == [17, 32]
    assert raw["shots"][0]["prompt"].endswith("Waves.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\njust a prompt\n", [(2, {"prompt": "just a prompt"})]),
        ("# Title alone\n", [(1, {"prompt": "Title alone"})]),
        ("# T\n## One\na\n## Two\n", [(1, "empty_prompt")]),
        ("# T\n# T2\n", [(1, "invalid_markdown")]),
        ("---\nprompt: a\n---\nb\n", [(1, "invalid_markdown")]),
        ("---\n- a\n---\nb\n", [(1, "invalid_type")]),
    ],
)
def test_given_other_markdown_then_read_or_refused(text: str, expected: Any) -> None:
    assert parsed("s.md", text) == expected


@pytest.mark.parametrize(
    ("name", "data", "code", "line"),
    [
        ("p.txt", b"", "empty_file", 1),
        ("p.txt", b" \n\t\n", "empty_file", 1),
        ("p.json", b"[]", "empty_file", 1),
        ("p.jsonl", b"\n\n", "empty_file", 1),
        ("p.yaml", b"# nothing\n", "empty_file", 1),
        ("p.csv", b"prompt\n", "empty_file", 1),
        ("p.md", b"---\nmodel: a\n", "invalid_markdown", 1),
        ("p.md", b"\n---\nmodel: a\nseed: [\n---\nx", "invalid_yaml", 5),
        ("p.json", b'[\n{"prompt": "a"},\n{"prompt" "b"}\n]', "invalid_json", 3),
        ("p.json", b"", "invalid_json", 1),
        ("p.json", b"[" * 100_000, "invalid_json", 1),
        ("p.json", b'[{"seed": ' + b"9" * 10_000 + b"}]", "invalid_json", 1),
        ("p.yaml", b"- prompt: a\n- {prompt: b\n", "invalid_yaml", 3),
        ("p.yaml", b"- &x {prompt: a}\n- *x\n", "invalid_yaml", 2),
        ("p.yaml", b"[" * 5_000, "invalid_yaml", 1),
        ("p.yaml", b"prompt: a\n---\nprompt: b\n", "invalid_yaml", 2),
        ("p.csv", b"text\na\n", "invalid_csv", 1),
        ("p.json", b"\x89PNG\r\n\x1a\n\x00\x00", "not_utf8", 1),
        ("p.json", b"ok\n\x00\x01\x02", "not_text", 2),
        ("p.txt", "coração".encode("latin-1"), "not_utf8", 1),
        ("p.txt", b"one\ntwo\n" + "três".encode("cp1252"), "not_utf8", 3),
        ("p.txt", "prompt".encode("utf-16"), "not_utf8", 1),
        ("p.exe", b"x", "unsupported_file_type", 1),
        ("prompt", b"x", "unsupported_file_type", 1),
        ("p.txt", b"x" * (MAX_FILE_BYTES + 1), "file_too_large", 1),
        ("p.jsonl", b'{"prompt": "a"}\n' * (MAX_ENTRIES + 1), "too_many_entries", 1),
    ],
)
def test_given_a_file_that_cannot_be_read_then_one_reason_with_its_line(
    name: str, data: bytes, code: str, line: int
) -> None:
    with pytest.raises(FileError) as refused:
        parse_file(name, data)

    assert (refused.value.error.code, refused.value.line) == (code, line)
