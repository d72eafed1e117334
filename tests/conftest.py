"""What tests of every kind share: generated examples that are the same on every machine, and a webhook's receiver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.receiver import Receiver

# Main is green or it is not: the same examples everywhere, and no verdict on how long a busy machine took.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()
