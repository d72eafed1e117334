"""Says what is going on, at once: a run that is ended from outside leaves these lines behind."""

import time


def say(line: str) -> None:
    """One line with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


class Clock:
    """Notes, and says, how long each part took."""

    def __init__(self) -> None:
        self.noted: dict[str, float] = {}
        self._since_s = time.monotonic()

    def note(self, name: str) -> None:
        at_s = time.monotonic()
        self.noted[name] = round(at_s - self._since_s, 1)
        say(f"{self.noted[name]:g} {name}")
        self._since_s = at_s
