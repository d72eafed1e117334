import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.unit.cli.studio import Studio, running_studio


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Ended]


@pytest.fixture(autouse=True)
def nobody_s_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own files and variables do not count; the command runs in an empty folder."""
    for name in ("REVALIDA_API_BASE", "REVALIDA_API_KEY", "REVALIDA_PROFILE", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("REVALIDA_LOCAL_DIR", raising=False)
    monkeypatch.setenv("REVALIDA_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def shared_studio() -> Iterator[Studio]:
    """One API for a module's tests: starting a fake AWS costs more than most of them."""
    with pytest.MonkeyPatch.context() as monkeypatch, running_studio(monkeypatch) as made:
        yield made


@pytest.fixture
def studio(shared_studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """The API, and the environment in which commands find it."""
    shared_studio.seen.clear()
    shared_studio.fail_next.clear()
    shared_studio.break_next = 0
    for name, value in shared_studio.environment.items():
        monkeypatch.setenv(name, value)
    return shared_studio


@pytest.fixture
def cli() -> Cli:
    def call(*arguments: object, stdin: str | None = None) -> Ended:
        result = CliRunner().invoke(app, [str(each) for each in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    return call
