"""The installed `revalida` as a process: its exit codes, its pipes, and Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.unit.cli.studio import Studio

REVALIDA = Path(sys.executable).with_name("revalida")


def environment(studio: Studio) -> dict[str, str]:
    return {**os.environ, **studio.environment, "COLUMNS": "200"}


def revalida(studio: Studio, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(REVALIDA), *arguments]
    return subprocess.run(command, env=environment(studio), capture_output=True, text=True, timeout=60, check=False)


def test_given_the_installed_command_when_run_anywhere_then_answers_and_codes_are_the_same(studio: Studio) -> None:
    refused = revalida(studio, "submit", "a red circle", "--model", "wan-mini", "--size", "1x1")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (5, "", 1)
    wrong = revalida(studio, "submit", "--nope")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def obey_ctrl_c() -> None:
    """A shell lets what it starts in the background ignore SIGINT; its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(studio: Studio, *arguments: str) -> str:
    """What the command wrote to stderr when Ctrl-C was pressed while it waited."""
    command = [str(REVALIDA), *arguments]
    process = subprocess.Popen(
        command,
        env=environment(studio),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=obey_ctrl_c,
    )
    deadline = time.monotonic() + 60
    # The second look says that the first was answered: it waits between looks.
    while sum(method == "GET" for method, _, _ in studio.seen) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)

    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)

    assert process.returncode == 130
    assert "Traceback" not in told
    return told


def test_given_ctrl_c_while_waiting_when_pressed_then_the_video_goes_on_and_the_way_back_is_said(
    studio: Studio,
) -> None:
    told = interrupted(studio, "submit", "a red circle", "--model", "wan-mini", "--wait")

    video_id = told.split()[0]
    assert f"Come back with: revalida watch {video_id}" in told
    assert studio.store.get(video_id).status == "queued"


def test_given_ctrl_c_while_a_batch_is_followed_when_pressed_then_the_same_command_goes_on(
    studio: Studio, tmp_path: Path
) -> None:
    file = tmp_path / "two.csv"
    file.write_text("prompt,model\na red circle,wan-mini\na blue square,wan-mini\n")

    told = interrupted(studio, "batch", str(file), "--wait")

    assert "Run the same command again" in told
    assert revalida(studio, "batch", str(file)).returncode == 0
    assert studio.posts() == ["/v1/videos"] * 2


def test_given_ctrl_c_while_a_character_is_made_when_pressed_then_the_way_back_is_said(studio: Studio) -> None:
    words = ("--describe", "a grey wolf", "--model", "wan-mini", "--wait")

    told = interrupted(studio, "characters", "create", "Lobo", *words)

    assert "Come back with: revalida characters watch char" in told


def test_given_a_shell_when_completion_is_asked_for_then_its_script_is_printed(studio: Studio) -> None:
    # Typer asks its parent processes which shell it is in; where the tests run, there may be none.
    line = f"{REVALIDA} --show-completion; exit $?"
    ended = subprocess.run(
        ["bash", "-c", line], env=environment(studio), capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode == 0, ended.stderr
    assert "_REVALIDA_COMPLETE" in ended.stdout


def test_given_a_reader_that_stops_when_piped_then_there_is_no_traceback(studio: Studio) -> None:
    line = f"{REVALIDA} models --json | head -1"
    ended = subprocess.run(
        ["bash", "-c", line], env=environment(studio), capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.stdout.strip() == "{"
    assert ended.stderr == ""
