"""Small independent loops: each owns one concern, ends when told to, and never dies in silence."""

import threading
from collections.abc import Callable

import httpx
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from gpu_agent.logs import logger

# What a distributed system and a full disk do on any day: the loop logs it, waits and goes on. Else it is a defect.
PASSING_ERRORS = (BotoCoreError, ClientError, Boto3Error, httpx.HTTPError, OSError)
MAX_BACKOFF_S = 30.0
JOIN_S = 10.0


def hear_of_deaths(on_death: Callable[[str], None]) -> None:
    """Whatever ends a thread of this process that should not (a lease's, which is no Loop) is told to `on_death`, with
    the thread's name, as the death of a Loop is."""

    def tell(death: threading.ExceptHookArgs) -> None:
        if issubclass(death.exc_type, SystemExit):
            return
        name = death.thread.name if death.thread is not None else "a thread"
        logger.critical("thread died", extra={"thread_name": name}, exc_info=death.exc_value)
        on_death(name)

    threading.excepthook = tell


class Loop:
    """Call `turn` every `interval_s` seconds in a thread of its own until stopped.

    A turn may answer the seconds until the next one. A passing error (network, throttling) doubles the wait, up to
    MAX_BACKOFF_S. Any other error ends the loop, and `on_death` with the loop's name is called.
    """

    def __init__(
        self, name: str, turn: Callable[[], float | None], *, interval_s: float, on_death: Callable[[str], None]
    ) -> None:
        self.name = name
        self._turn = turn
        self._interval_s = interval_s
        self._on_death = on_death
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end after the turn under way; returns at once."""
        self._stopping.set()

    def join(self, timeout_s: float = JOIN_S) -> bool:
        """Wait for the loop's end, no longer than `timeout_s`; whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        ended_cleanly = False
        try:
            self._turns()
            ended_cleanly = True
        finally:
            if not ended_cleanly:
                logger.critical("loop died", extra={"loop": self.name})
                self._on_death(self.name)

    def _turns(self) -> None:
        failures = 0
        wait_s: float | None = 0.0
        while not self._stopping.wait(wait_s):
            try:
                wait_s = self._turn()
                failures = 0
            except PASSING_ERRORS as error:
                failures += 1
                wait_s = min(MAX_BACKOFF_S, max(0.2, self._interval_s) * 2.0 ** min(failures - 1, 10))
                logger.warning("loop turn failed", extra={"loop": self.name, "error": repr(error), "wait_s": wait_s})
            wait_s = self._interval_s if wait_s is None else wait_s
