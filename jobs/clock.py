"""The one clock: unix time in seconds. Pure code takes `now` as a value; only the edges call this."""

import time


def now() -> float:
    """Unix time in seconds, UTC."""
    return time.time()
