"""A taken port and a second system get words that help."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.errors import AlreadyRunning, PortTaken
from local.lock import exclusive
from local.ports import free_port, require_free
from local.settings import ROOT


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_given_a_taken_port_when_required_then_the_error_names_it_and_the_variable(taken: int) -> None:
    with pytest.raises(PortTaken, match=rf"Port {taken} .* PORT={taken + 1} make run"):
        require_free(taken, variable="PORT")


def test_given_a_taken_port_when_only_preferred_then_another_is_found(taken: int) -> None:
    assert free_port(taken) != taken


def test_given_a_taken_front_port_when_the_system_starts_then_it_ends_with_that_message(
    taken: int, tmp_path: Path
) -> None:
    started = subprocess.run(
        [sys.executable, "-m", "local"],
        cwd=ROOT,
        env={**os.environ, "PORT": str(taken), "REVALIDA_LOCAL_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.returncode == 1
    assert f"Port {taken} on 127.0.0.1 is taken" in started.stderr
    assert "Traceback" not in started.stderr


def test_given_a_directory_in_use_when_a_second_system_starts_then_it_is_refused(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(AlreadyRunning, match="REVALIDA_LOCAL_DIR"), exclusive(tmp_path):
        pass


def test_given_a_directory_that_was_let_go_when_a_system_starts_then_it_may(tmp_path: Path) -> None:
    with exclusive(tmp_path):
        pass

    with exclusive(tmp_path):
        pass
