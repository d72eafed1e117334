"""Where chaos runs take place: the whole local system without its own agents, and the undisturbed videos."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.narrate import Clock
from tests.chaos.reference import STEPS, digest_of
from tests.chaos.world.emulator import REPOSITORY, LocalAws
from tests.chaos.world.subscriber import Subscriber
from tests.e2e.studio import Studio, running

REFERENCE_LIMIT_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """`directory` takes what agents leave. `references` are the digests of the undisturbed videos, by seed. One run at
    a time."""

    directory: Path
    aws: LocalAws
    api_base: str
    event_bus: str
    subscriber: Subscriber
    references: dict[int, str]


@contextmanager
def staged(directory: Path) -> Iterator[Stage]:
    """Everything that runs need but for their jobs and agents."""
    clock = Clock()
    directory.mkdir(parents=True, exist_ok=True)
    # Runs bring their own agents: each behind a relay that fails calls and a metadata service that gives notice.
    with (
        _references(directory) as making,
        running(directory / "local", settings={"REVALIDA_LOCAL_AGENTS": "false"}) as studio,
    ):
        aws = _aws_of(studio)
        event_bus = str(studio.stack["event_bus"])
        _one_planner(aws)
        subscriber = Subscriber(aws, event_bus=event_bus)
        clock.note("seconds until the system was up")
        try:
            yield Stage(
                directory=directory,
                aws=aws,
                api_base=studio.api_base,
                event_bus=event_bus,
                subscriber=subscriber,
                references=_finished(making, directory),
            )
        finally:
            subscriber.close()


def _aws_of(studio: Studio) -> LocalAws:
    return LocalAws(
        endpoint=str(studio.stack["aws_endpoint"]),
        prefix=str(studio.stack["queue_prefix"]),
        table=str(studio.stack["table"]),
        bucket=studio.media_bucket,
    )


def _one_planner(aws: LocalAws) -> None:
    """As production reserves it: each queued job would start a planner of its own, and two cores drown in them."""
    aws.client("lambda").put_function_concurrency(FunctionName=f"{aws.prefix}-planner", ReservedConcurrentExecutions=1)


@contextmanager
def _references(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The undisturbed videos, made in a process of their own while the system comes up."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.reference", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


def _finished(making: subprocess.Popen[bytes], folder: Path) -> dict[int, str]:
    assert making.wait(REFERENCE_LIMIT_S) == 0, "the undisturbed videos could not be made"
    return {seed: digest_of((folder / f"{seed}.mp4").read_bytes()) for seed in STEPS}
