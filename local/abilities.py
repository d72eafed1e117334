"""Asks the agent once, at the start, what this machine can run: until then `/v1/models` could not tell."""

import logging
import sys
import threading
import time
from collections.abc import Mapping

from local.processes import Child
from local.settings import LocalSettings

LIMIT_S = 60.0
_LOOK_S = 0.05
logger = logging.getLogger(__name__)


class AbilitiesReport:
    """`python -m gpu_agent --abilities`, under way from the moment it is made, beside the rest of the start."""

    def __init__(self, settings: LocalSettings, environment: Mapping[str, str]) -> None:
        self._log = settings.logs / "abilities.log"
        self._child = Child(
            "the report of this machine's abilities",
            [sys.executable, "-m", "gpu_agent", "--abilities"],
            environment={**environment, "REVALIDA_INSTANCE_ID": "local"},
            log=self._log,
            pid_file=settings.pids / "abilities.pid",
        )

    def finish(self, interrupted: threading.Event) -> None:
        """Wait for its end. Without a report the first agent's own one will do: a failure is told, no more."""
        limit_s = time.monotonic() + LIMIT_S
        while self._child.exit_code() is None and time.monotonic() < limit_s and not interrupted.wait(_LOOK_S):
            pass
        if self._child.exit_code() != 0 and not interrupted.is_set():
            logger.warning("%s failed. Its log: %s", self._child.name, self._log)
        self._child.stop(grace_s=1.0)
