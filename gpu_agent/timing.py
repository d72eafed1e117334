"""Measuring durations on the clock that never jumps."""

import time


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self._began_s
