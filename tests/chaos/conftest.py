"""One emulator for all tests of the folder, and resources of its own for each: nothing left over meets the next."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.world.agents import AgentProcess, start_agent
from tests.chaos.world.emulator import LocalAws, emulator, make_resources
from tests.chaos.world.imds import StandInImds

StartAgent = Callable[..., AgentProcess]
_numbers = itertools.count()


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("aws")) as address:
        yield address


@pytest.fixture
def aws(endpoint: str) -> LocalAws:
    world = LocalAws.named(endpoint, f"world{next(_numbers)}")
    make_resources(world)
    return world


@pytest.fixture
def agent(aws: LocalAws, tmp_path: Path) -> Iterator[StartAgent]:
    """Starts agents; all end with the test."""
    started: list[AgentProcess] = []

    def start(instance_id: str, **settings: Any) -> AgentProcess:
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
