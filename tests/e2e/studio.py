"""The running local system as a test sees it: a child process, its stack file, and clients over real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
from openai import OpenAI

REPOSITORY = Path(__file__).resolve().parents[2]
READY_TIMEOUT_S = 420.0  # generous: a cold clone bundles the Lambda dependencies first
STOP_TIMEOUT_S = 90.0
PATIENCE_S = 180.0  # the machine may be busy; how soon a thing comes is no test's matter


@dataclass(frozen=True, kw_only=True)
class Studio:
    """One running local system. `stack` is `.local/stack.json`; every client speaks to it over loopback."""

    stack: dict[str, Any]
    local_dir: Path
    process: subprocess.Popen[bytes]

    @property
    def api_base(self) -> str:
        return str(self.stack["api_base"])

    @property
    def api_key(self) -> str:
        return str(self.stack["api_key"])

    @property
    def media_bucket(self) -> str:
        return str(self.stack["media_bucket"])

    def openai(self, **overrides: Any) -> Any:
        """The unmodified SDK: only base URL and key differ from the hosted API.

        Typed as Any, since the SDK's hints admit the sizes and seconds of the hosted models alone."""
        return OpenAI(**{"base_url": self.api_base, "api_key": self.api_key, **overrides})

    def http(self) -> httpx.Client:
        """What the SDK has no method for: paths below `api_base`, with the key."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        return httpx.Client(base_url=self.api_base, headers=headers, timeout=60, trust_env=False)

    def aws(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.stack["aws_endpoint"],
            region_name=self.stack["region"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def aws_cli(self, *arguments: str) -> str:
        """Run the stock AWS CLI as a producer would; returns its standard output."""
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": str(self.stack["aws_endpoint"]),
            "AWS_DEFAULT_REGION": str(self.stack["region"]),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        command = [sys.executable, "-m", "awscli", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"aws {' '.join(arguments)}: {done.stderr}"
        return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(local_dir: Path, *, port: int, settings: Mapping[str, str] | None = None) -> Studio:
    """Start `python -m local` in its own process group and wait until it says that it is ready."""
    local_dir.mkdir(parents=True, exist_ok=True)
    stack_file = local_dir / "stack.json"
    stack_file.unlink(missing_ok=True)
    environment = {**os.environ, "PORT": str(port), "REVALIDA_LOCAL_DIR": str(local_dir), **(settings or {})}
    log = (local_dir / "run.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "local"],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )

    def ready() -> bool:
        assert process.poll() is None, f"`python -m local` ended early:\n{tail(local_dir / 'run.log')}"
        return stack_file.exists()

    wait_until(ready, timeout_s=READY_TIMEOUT_S, what=lambda: f"the local system\n{tail(local_dir / 'run.log')}")
    return Studio(stack=json.loads(stack_file.read_text()), local_dir=local_dir, process=process)


def stop(studio: Studio, *, with_signal: signal.Signals = signal.SIGTERM) -> list[str]:
    """Stop the system as a person would; returns what was still running afterwards (nothing, one hopes)."""
    if studio.process.poll() is not None:
        return []
    family = psutil.Process(studio.process.pid).children(recursive=True)
    studio.process.send_signal(with_signal)
    studio.process.wait(timeout=STOP_TIMEOUT_S)
    _, alive = psutil.wait_procs(family, timeout=5)
    left = [" ".join(child.cmdline()) for child in alive]
    for child in alive:
        child.kill()
    return left


@contextmanager
def running(local_dir: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[Studio]:
    studio = start(local_dir, port=free_port(), settings=settings)
    try:
        yield studio
    finally:
        left = stop(studio)
    assert left == [], f"still running after SIGTERM: {left}"


def wait_until(probe: Callable[[], Any], *, timeout_s: float = PATIENCE_S, what: str | Callable[[], str]) -> Any:
    """Poll `probe` until it answers something true; fail with `what` when it has not within `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        answer = probe()
        if answer:
            return answer
        time.sleep(0.5)
    raise AssertionError(f"waited {timeout_s:.0f} s in vain for {what() if callable(what) else what}")


def tail(path: Path, lines: int = 40) -> str:
    if not path.exists():
        return f"({path} is missing)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
