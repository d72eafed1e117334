"""Children end when asked, when they will not, and when their parent is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from local.processes import Child
from local.settings import ROOT

PATIENCE_S = 20.0


def _child(directory: Path, program: str) -> Child:
    return Child(
        "test",
        [sys.executable, "-c", program],
        environment=os.environ,
        log=directory / "child.log",
        pid_file=directory / "child.pid",
    )


def _wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_given_a_child_when_it_runs_then_its_output_and_its_id_are_in_files(tmp_path: Path) -> None:
    child = _child(tmp_path, "print('hello', flush=True); import time; time.sleep(60)")
    _wait_for(lambda: "hello" in (tmp_path / "child.log").read_text())

    assert (tmp_path / "child.pid").read_text() == f"{child.pid}\n"
    child.stop(grace_s=PATIENCE_S)
    assert not (tmp_path / "child.pid").exists()


def test_given_a_child_that_ignores_sigterm_when_stopped_then_it_is_killed(tmp_path: Path) -> None:
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
    child = _child(tmp_path, f"{program}; time.sleep(60)")
    _wait_for(lambda: "deaf" in (tmp_path / "child.log").read_text())

    child.stop(grace_s=0.2)

    assert child.exit_code() == -signal.SIGKILL


def test_given_a_child_with_a_child_of_its_own_when_stopped_then_neither_runs(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time;"
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(inner.pid, flush=True); time.sleep(60)"
    )
    child = _child(tmp_path, program)
    _wait_for(lambda: (tmp_path / "child.log").read_text().endswith("\n"))
    grandchild = int((tmp_path / "child.log").read_text())

    child.stop(grace_s=PATIENCE_S)

    _wait_for(lambda: not _runs(grandchild))


def test_given_a_parent_that_is_killed_when_it_had_a_child_then_the_child_ends_too(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys, time; from local.processes import Child;"
        f"folder = pathlib.Path({str(tmp_path)!r});"
        "Child('inner', [sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(60)'],"
        " environment=os.environ, log=folder / 'log', pid_file=folder / 'pid'); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    # The child may speak before its parent has noted its id.
    files = [tmp_path / name for name in ("log", "pid")]
    _wait_for(lambda: all(file.exists() and file.read_text().endswith("\n") for file in files))
    child = int((tmp_path / "pid").read_text())

    parent.kill()
    parent.wait()

    _wait_for(lambda: not _runs(child))
