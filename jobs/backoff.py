"""The pause between two tries of a transaction."""

import random
import time

BASE_S = 0.01


def pause(race: int) -> None:
    """Up to 10 ms after the first race, then up to twice that and so on: at random, so that rivals drift apart."""
    time.sleep(random.uniform(0, BASE_S * 2**race))
