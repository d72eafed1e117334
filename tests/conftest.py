"""How all tests run: what shares a worker process, and examples that are the same on every machine."""

from __future__ import annotations

import pytest
from hypothesis import settings

# Main is green or it is not: the same examples everywhere, and no verdict on how long a busy machine took.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

SYSTEM_TESTS = ("tests/e2e/", "tests/chaos/")


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs all that needs the whole local system, one after the other; else a file stays together."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group("system" if file.startswith(SYSTEM_TESTS) else file))
