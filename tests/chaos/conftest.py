"""One emulator for each test: what one test leaves in a queue must not meet the next."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.world.agents import AgentProcess, start_agent
from tests.chaos.world.emulator import LocalAws, local_aws
from tests.chaos.world.imds import StandInImds

StartAgent = Callable[..., AgentProcess]


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[LocalAws]:
    with local_aws(tmp_path / "aws") as running:
        yield running


@pytest.fixture
def agent(aws: LocalAws, tmp_path: Path) -> Iterator[StartAgent]:
    """Starts agents; all end with the test."""
    started: list[AgentProcess] = []

    def start(instance_id: str, **settings: object) -> AgentProcess:
        started.append(start_agent(aws, tmp_path / "agents", instance_id, **settings))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def imds() -> Iterator[StandInImds]:
    service = StandInImds()
    yield service
    service.close()
