"""docs/cli.md says what the command line does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from cli.exits import Exit
from cli.main import app

GUIDE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")


def test_given_the_guide_when_read_then_it_has_each_exit_code_and_no_other() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", GUIDE, re.MULTILINE)}

    assert told == {int(code) for code in Exit}


def test_given_a_command_when_registered_then_the_guide_names_it() -> None:
    callbacks = [(each.name, each.callback) for each in app.registered_commands]
    commands = {name or callback.__name__ for name, callback in callbacks if callback is not None}
    groups = {each.name for each in app.registered_groups}

    missing = [name for name in commands | groups if f"`{name}" not in GUIDE]

    assert missing == []


def leaves(command: Any, path: str) -> Iterator[tuple[str, set[str]]]:
    """Each command that does something, with its options."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, {name for parameter in command.params for name in parameter.opts}
        return
    for name, each in below.items():
        yield from leaves(each, f"{path} {name}")


def test_given_any_command_when_asked_then_it_answers_in_json_too() -> None:
    commands = dict(leaves(typer.main.get_command(app), "revalida"))

    assert len(commands) > 40
    assert [path for path, options in commands.items() if "--json" not in options] == []


def test_given_the_guide_when_read_then_each_session_was_recorded() -> None:
    sessions = re.findall(r"<!-- session (\w+) -->\n(.*?)<!-- /session -->", GUIDE, re.DOTALL)

    assert len(sessions) >= 8
    assert [name for name, block in sessions if "$ revalida" not in block] == []
