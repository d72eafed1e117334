"""A child process with its own process group, a log file, and a stop that always ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.settings import ROOT

_LEASH = Path(__file__).with_name("leash.py")


class Child:
    """Starts at once. Its group leader's id stands in `pid_file` while it runs."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        pid_file: Path,
        directory: Path = ROOT,
    ) -> None:
        self.name = name
        self._pid_file = pid_file
        log.parent.mkdir(parents=True, exist_ok=True)
        pid_file.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_LEASH), str(os.getpid()), *command],
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Its own group: a Ctrl-C at the terminal reaches us alone, and we stop the children in order.
                start_new_session=True,
            )
        pid_file.write_text(f"{self._process.pid}\n", encoding="ascii")

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        if self.exit_code() is None:
            self._signal(signal.SIGTERM)

    def stop(self, *, grace_s: float) -> None:
        """Ends it and all it started: asks, waits for `grace_s`, then kills."""
        self.ask_to_stop()
        try:
            self._process.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
        # What it started and left behind is still in its group.
        self._signal(signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return  # nobody left
