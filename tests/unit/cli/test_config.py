"""Where address and key come from, and how the errors of connection and authorisation end."""

import json
from pathlib import Path

import pytest

from cli.config import Source, choose, sources
from cli.exits import CliError
from tests.unit.cli.conftest import Cli
from tests.unit.cli.studio import REQUEST_ID, Studio

NO_FLAGS = Source(name="the flags")


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_given_all_three_when_chosen_then_flags_beat_the_environment_and_that_the_file(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(config_file, 'api_base = "https://file"\napi_key = "sk-file"\n')
    assert choose(sources(NO_FLAGS, profile=None)).api_key == "sk-file"

    monkeypatch.setenv("REVALIDA_API_BASE", "https://environment/v1/")
    monkeypatch.setenv("REVALIDA_API_KEY", "sk-environment")
    chosen = choose(sources(NO_FLAGS, profile=None))
    assert (chosen.api_base, chosen.api_key) == ("https://environment/v1", "sk-environment")

    flags = Source(name="the flags", api_base="https://flags/v1", api_key="sk-flags")
    chosen = choose(sources(flags, profile=None))
    assert (chosen.api_base, chosen.api_key) == ("https://flags/v1", "sk-flags")


def test_given_an_address_alone_when_chosen_then_a_file_s_key_does_not_go_there(config_file: Path) -> None:
    write(config_file, 'api_base = "https://mine"\napi_key = "sk-mine"\n')

    with pytest.raises(CliError, match="No API key is configured for https://elsewhere/v1") as caught:
        choose(sources(Source(name="the flags", api_base="https://elsewhere/v1"), profile=None))

    assert caught.value.exit_code == 4


def test_given_a_profile_when_named_then_its_values_hold(config_file: Path) -> None:
    write(
        config_file,
        'api_base = "https://usual"\napi_key = "sk-usual"\n'
        '[profiles.test]\napi_base = "https://test"\napi_key = "sk-t"\n',
    )

    chosen = choose(sources(NO_FLAGS, profile="test"))
    assert (chosen.api_base, chosen.api_key) == ("https://test/v1", "sk-t")
    with pytest.raises(CliError, match="no profile 'other'"):
        choose(sources(NO_FLAGS, profile="other"))


def test_given_the_sdk_s_variables_when_only_the_key_is_there_then_it_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another-service")
    with pytest.raises(CliError):
        choose(sources(NO_FLAGS, profile=None))

    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert choose(sources(NO_FLAGS, profile=None)).api_key == "sk-another-service"


def test_given_the_project_s_folder_when_nothing_else_is_set_then_the_local_system_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / "cdk.json").write_text("{}")
    stack = {"api_base": "http://127.0.0.1:8080/v1", "api_key": "sk-local", "media_bucket": "media"}
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(stack))
    inner = tmp_path / "docs"
    inner.mkdir()
    monkeypatch.chdir(inner)

    assert choose(sources(NO_FLAGS, profile=None)).api_key == "sk-local"


def test_given_a_file_that_others_can_read_when_used_then_a_warning_says_what_to_do(
    cli: Cli, studio: Studio, config_file: Path
) -> None:
    write(config_file, "")
    config_file.chmod(0o644)

    assert f"chmod 600 {config_file}" in cli("list").err


@pytest.mark.parametrize("text", ["api_base = 7\n", "not toml", '[profiles]\napi_base = "x"'])
def test_given_a_broken_file_when_used_then_one_line_names_it(cli: Cli, config_file: Path, text: str) -> None:
    write(config_file, text)

    ended = cli("list")

    assert (ended.code, ended.err.count("\n")) == (2, 1)


def test_given_nothing_configured_when_called_then_the_variables_are_named(cli: Cli) -> None:
    ended = cli("list")

    assert ended.code == 2
    assert "REVALIDA_API_BASE" in ended.err


def test_given_a_wrong_key_when_called_then_code_4_and_the_key_is_nowhere(
    cli: Cli, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVALIDA_API_KEY", "sk-wrong-wrong-wrong-wrong")

    ended = cli("list", "--verbose")

    assert ended.code == 4
    assert "sk-wrong" not in ended.out + ended.err


def test_given_a_key_with_a_line_break_when_called_then_it_is_refused_unshown(
    cli: Cli, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVALIDA_API_KEY", "sk-schlüssel\n")

    ended = cli("list")

    assert ended.code == 2
    assert "schl" not in ended.err


def test_given_verbose_when_called_then_request_ids_are_shown_and_the_key_is_not(cli: Cli, studio: Studio) -> None:
    ended = cli("show", "video_01ARZ3NDEKTSV4RRFFQ69G5FAV", "--verbose")

    assert f"(request id {REQUEST_ID})" in ended.err
    assert "GET /videos/video_" in ended.err
    assert studio.key not in ended.err


def test_given_nobody_answers_when_called_then_code_7(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.api.BACKOFF_S", 0.001)
    ended = cli("list", "--api-base", "http://127.0.0.1:9/v1", "--api-key", "sk-x")

    assert (ended.code, ended.err.count("\n")) == (7, 1)
    assert "make run" in ended.err


@pytest.mark.parametrize(("status", "code"), [(429, 6), (503, 7), (500, 7), (403, 4)])
def test_given_the_server_says_no_when_it_stays_so_then_each_kind_has_its_code(
    cli: Cli, studio: Studio, status: int, code: int
) -> None:
    studio.fail_next = [status] * 4

    assert cli("list").code == code


def test_given_the_server_is_busy_once_when_called_then_it_is_asked_again(cli: Cli, studio: Studio) -> None:
    studio.fail_next = [429, 503]

    assert cli("list").code == 0
    assert len(studio.seen) == 3


def test_given_another_service_at_the_address_when_called_then_it_says_so(cli: Cli, studio: Studio) -> None:
    studio.cloud.put("v1/videos", b"<html>Welcome</html>")

    ended = cli("list", "--api-base", f"{studio.address}/bucket", "--api-key", "sk-x")

    assert (ended.code, ended.err.count("\n")) == (7, 1)
    assert "not this API" in ended.err


@pytest.mark.parametrize("arguments", [("submit", "--nope"), ("watch",), ("nope",), ("list", "--limit", "many")])
def test_given_a_wrong_command_line_when_called_then_one_line_and_code_2(cli: Cli, arguments: tuple[str, ...]) -> None:
    ended = cli(*arguments)

    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "--help" in ended.err
