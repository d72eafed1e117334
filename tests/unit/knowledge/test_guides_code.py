"""The code blocks of the guides are real: they parse, name what exists, and do what the text says."""

import ast
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import botocore.session
import openai
import pytest
import yaml
from typer.main import get_command

from cli.main import app
from jobs.drop.parse import parse_file
from jobs.errors import RequestError
from jobs.validation import parse, resolve
from knowledge.load import ROOT
from tests.unit.knowledge.guides import GUIDES, Block, blocks, titled


def commands() -> list[tuple[str, list[str]]]:
    """Each simple command of each bash block as words, without comments and leading assignments."""
    return [(str(block), words) for block in blocks("bash") for words in _simple_commands(block.text)]


def _simple_commands(text: str) -> Iterator[list[str]]:
    bare = re.sub(r"(^|\s{2,})#.*$", "", text.replace("\\\n", " "), flags=re.M)
    lexer = shlex.shlex(bare, posix=True, punctuation_chars="|;&\n")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    for token in [*lexer, "\n"]:
        if set(token) <= set("|;&\n"):
            while words and re.match(r"^[A-Z_]+=", words[0]):
                words.pop(0)
            if words:
                yield words
            words = []
        else:
            words.append(token)


def started_by(*names: str) -> list[tuple[str, list[str]]]:
    return [(where, words) for where, words in commands() if words and words[0] in names]


def test_given_the_guides_when_their_blocks_are_read_then_there_are_some_of_each_language() -> None:
    assert {block.language for block in blocks("bash", "json", "python", "yaml")} == {"bash", "json", "python", "yaml"}


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_given_a_json_block_when_read_then_it_is_json(block: Block) -> None:
    if block.title.endswith(".jsonl"):
        assert all(json.loads(line) for line in block.text.splitlines())
    else:
        json.loads(block.text)


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_given_a_yaml_block_when_read_then_it_is_yaml(block: Block) -> None:
    yaml.safe_load(block.text)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_given_a_python_block_when_read_then_it_compiles_and_imports_what_exists(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
        for name in names:
            assert importlib.util.find_spec(name) is not None, f"{block}: {name}"


@pytest.mark.parametrize("title", ["first_video.py", "openai_client.py", "more_fields.py"])
def test_given_a_python_block_for_the_sdk_when_read_then_the_sdk_has_its_methods(title: str) -> None:
    videos = openai.OpenAI(api_key="sk-none").videos
    called = set(re.findall(r"videos\.([a-z_]+)\(", titled(title).text))
    assert called
    assert [name for name in called if not hasattr(videos, name)] == []


@pytest.mark.parametrize(("where", "words"), started_by("make"))
def test_given_a_make_command_when_looked_up_then_the_makefile_has_it(where: str, words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in [word for word in words[1:] if "=" not in word]:
        assert re.search(rf"^{target}:", makefile, re.M), f"{where}: make {target}"


@pytest.mark.parametrize(("where", "words"), started_by(".venv/bin/python"))
def test_given_a_python_command_when_looked_up_then_its_module_exists(where: str, words: list[str]) -> None:
    if words[1] == "-m":
        assert importlib.util.find_spec(words[2]) is not None, where
    else:
        assert titled(words[1]), where


@pytest.mark.parametrize(
    ("where", "words"),
    [*started_by("revalida"), *[(w, c) for w, c in started_by(".venv/bin/python") if c[1:3] == ["-m", "cli.main"]]],
)
def test_given_a_revalida_command_when_looked_up_then_it_and_its_options_exist(where: str, words: list[str]) -> None:
    arguments = words[1:] if words[0] == "revalida" else words[3:]
    command: Any = get_command(app)
    for word in arguments:
        if not hasattr(command, "commands"):
            break
        command = command.commands[word]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= known, where


@lru_cache
def _service(name: str) -> Any:
    return botocore.session.get_session().get_service_model(name)


GLOBAL_OPTIONS = {"--region", "--output", "--query", "--endpoint-url"}


@pytest.mark.parametrize(("where", "words"), [(w, c) for w, c in started_by("aws") if c[1] != "s3"])
def test_given_an_aws_command_when_looked_up_then_operation_and_options_exist(where: str, words: list[str]) -> None:
    operations = {_kebab(name): name for name in _service(words[1]).operation_names}
    operation = _service(words[1]).operation_model(operations[words[2]])
    members = {f"--{_kebab(name)}" for name in (operation.input_shape.members if operation.input_shape else {})}
    given = {word.replace("--no-", "--") for word in words[3:] if word.startswith("--")}
    assert given - members - GLOBAL_OPTIONS - {"--max-items"} == set(), where


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


@pytest.mark.parametrize("title", ["farol.txt", "roteiro.md", "lote.csv", "lote.jsonl", "lote.yaml"])
def test_given_a_sample_of_the_drop_folder_guide_when_dropped_then_all_its_prompts_are_accepted(title: str) -> None:
    entries = parse_file(title, titled(title).text.encode())
    assert entries
    for entry in entries:
        assert not isinstance(entry.raw, RequestError), entry
        resolve(parse(entry.raw, texts=entry.texts), default_model="wan2.2-t2v-a14b", now=0)


def test_given_the_script_of_the_drop_folder_guide_when_dropped_then_it_has_three_shots() -> None:
    (entry,) = parse_file("roteiro.md", titled("roteiro.md").text.encode())
    assert not isinstance(entry.raw, RequestError)
    request = resolve(parse(entry.raw), default_model="wan-mini", now=0)
    assert [shot.num_frames for shot in request.shots] == [81, 96, 64]
    assert request.total_frames == 241


@pytest.mark.parametrize("setting", re.findall(r"`((?:fleet|data|api|scaling)\.[a-z_]+)`", "\n".join(
    (GUIDES / name).read_text(encoding="utf-8") for name in ("deploy-aws.md", "runbook.md", "limits.md"))))  # fmt: skip
def test_given_a_setting_named_in_a_guide_when_looked_up_then_cdk_json_has_it(setting: str) -> None:
    settings = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]["settings"]
    group, name = setting.split(".")
    assert name in settings[group]
