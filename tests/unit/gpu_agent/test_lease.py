"""A lease whose thread meets a defect: nobody renews it any more, and the agent is not to go on as if."""

import threading
from pathlib import Path
from typing import Any

import pytest

from gpu_agent.agent import Agent
from gpu_agent.held import HeldJob
from gpu_agent.lease import Lease
from gpu_agent.loops import hear_of_deaths
from gpu_agent.settings import AgentSettings
from tests.unit.jobs.cloud import BUCKET, PREFIX, TABLE, fake_cloud
from tests.unit.jobs.made import queued

WAIT_S = 30.0
NOWHERE = "http://127.0.0.1:9"


class Astonishing:
    """A table that answers what nobody foresaw."""

    def heartbeat(self, *_: object, **__: object) -> None:
        raise ZeroDivisionError


@pytest.fixture(autouse=True)
def _hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """What threads' deaths are told to is the process's: put back after a test."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)


def defective() -> Lease:
    held = HeldJob(queued(attempt=1), message=None, directory=Path())
    store: Any = Astonishing()
    queues: Any = None
    return Lease(held, store=store, queues=queues, lease_s=60.0, heartbeat_s=20.0, progress_s=0.3)


def test_given_a_defect_in_a_leases_thread_then_the_agent_ends_as_one_that_died(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with fake_cloud(monkeypatch):
        settings = AgentSettings(
            table=TABLE, media_bucket=BUCKET, queue_prefix=PREFIX, instance_id="i-1", scratch_dir=tmp_path,
            imds_endpoint=NOWHERE, close_s=1.0,
        )  # fmt: skip
        agent = Agent(settings)
        lease: Any = defective()  # has a Loop's `start`, and begins when the loops do
        loops = [lease]
        monkeypatch.setattr(agent, "_loops", lambda: loops)
        monkeypatch.setattr(agent, "_close", lambda _loops: None)
        statuses: list[int] = []
        thread = threading.Thread(target=lambda: statuses.append(agent.run()), daemon=True)

        thread.start()
        thread.join(WAIT_S)

        agent._ended.set()
        assert statuses == [1]


def test_given_a_thread_that_is_told_to_exit_then_nobody_has_died() -> None:
    died: list[str] = []
    hear_of_deaths(died.append)

    def leave() -> None:
        raise SystemExit

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join(WAIT_S)

    assert died == []
