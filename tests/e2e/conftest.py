"""One local system for the whole end-to-end run: started as `make run` starts it, stopped as Ctrl-C stops it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.studio import Studio, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with running(tmp_path_factory.mktemp("studio")) as system:
        yield system
