"""docs/cli.md says what the command line does."""

import re
from pathlib import Path

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


def test_given_the_guide_when_read_then_each_session_was_recorded() -> None:
    sessions = re.findall(r"<!-- session (\w+) -->\n(.*?)<!-- /session -->", GUIDE, re.DOTALL)

    assert len(sessions) >= 8
    assert [name for name, block in sessions if "$ revalida" not in block] == []
