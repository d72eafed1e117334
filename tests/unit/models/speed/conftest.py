"""What the tests of several changes to a Wan network compare with."""

from typing import Any

import pytest

from tests.unit.models.speed.networks import random_wan


@pytest.fixture(scope="module")
def stock() -> Any:
    """Two blocks in the layout of Wan A14B, random; tests change copies of it."""
    return random_wan()
