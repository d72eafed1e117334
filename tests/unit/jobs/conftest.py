from collections.abc import Iterator

import pytest

from tests.unit.jobs.cloud import Cloud, fake_cloud


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with fake_cloud(monkeypatch) as made:
        yield made
