"""Agents as separate processes, and jobs for them, put in as the doors do after validation."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from jobs.clock import now
from jobs.ids import new_job_id
from jobs.job import Job, Source
from jobs.request import VideoRequest
from jobs.states import State, is_terminal
from jobs.training import TrainingPlan
from tests.chaos.world.emulator import REGION, REPOSITORY, LocalAws

WAIT_S = 120.0  # generous: two busy cores load torch meanwhile


@dataclass(kw_only=True)
class AgentProcess:
    """One running agent. `log` has its structured lines."""

    instance_id: str
    process: subprocess.Popen[bytes]
    log: Path
    paused: bool = False

    def family(self) -> list[psutil.Process]:
        """The agent first, then its workers."""
        try:
            agent = psutil.Process(self.process.pid)
            return [agent, *agent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def workers(self) -> list[psutil.Process]:
        """The worker processes (multiprocessing's resource tracker is none)."""
        return [one for one in self.family()[1:] if "resource_tracker" not in " ".join(one.cmdline())]

    def kill_machine(self) -> None:
        """As when a Spot machine goes without notice: everything at once."""
        for one in self.family():
            _signal(one.kill)
        self.process.wait()

    def pause(self) -> None:
        self.paused = True
        for one in self.family():
            _signal(one.suspend)

    def wake(self) -> None:
        for one in self.family():
            _signal(one.resume)
        self.paused = False

    def lines(self) -> list[dict[str, Any]]:
        """Its structured log lines so far."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                found.append(json.loads(line))
        return found

    def said(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line.get("message") == message]

    def close(self) -> None:
        if self.process.poll() is None:
            self.wake()
            self.kill_machine()


def start_agent(
    aws: LocalAws,
    directory: Path,
    instance_id: str,
    *,
    aws_endpoint: str | None = None,
    mutant: str | None = None,
    module: str = "gpu_agent",
    wait: bool = True,
    environment: Mapping[str, str] | None = None,
    **settings: Any,
) -> AgentProcess:
    """`settings` are REVALIDA_* variables in lower case, laid over quick ones for tests.

    `mutant` starts an agent with a defect on purpose (tests.chaos.mutants), `module` another one than the true agent.
    Without `wait` it may still be starting.
    """
    quick: dict[str, object] = {
        "table": aws.table,
        "media_bucket": aws.bucket,
        "queue_prefix": aws.prefix,
        "instance_id": instance_id,
        "imds_endpoint": aws.endpoint,
        "imds_poll_s": 0.3,
        "scratch_dir": directory / "scratch",
        "weights_dir": directory / "weights",
        "lease_s": 10,
        "heartbeat_s": 2,
        "poll_wait_s": 1,
        "checkpoint_interval_s": 0,
        "checkpoint_max_overhead": 1.0,
        "notice_margin_s": 2,
        "close_s": 5,
        "idle_limit_s": 3600,
        "usd_per_hour": 1.7,  # any price: what attempts cost is checked against their time
    }
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": aws_endpoint or aws.endpoint,
        **({"CHAOS_MUTANT": mutant} if mutant else {}),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "OMP_NUM_THREADS": "1",
        **{f"REVALIDA_{name.upper()}": str(value) for name, value in (quick | settings).items()},
        **(environment or {}),
    }
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / f"{instance_id}.log"
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.mutants" if mutant else module],
            cwd=REPOSITORY,
            env=variables,
            stdout=sink,
            stderr=sink,
        )
    agent = AgentProcess(instance_id=instance_id, process=process, log=log)

    def is_up() -> bool:
        assert process.poll() is None, f"the agent ended: {log.read_text(errors='replace')[-2000:]}"
        return bool(agent.said("agent starts"))

    if not wait:
        return agent
    wait_for(is_up, what="the agent's first words")
    return agent


def submit(
    aws: LocalAws,
    *,
    owner: str = "tenant",
    model: str = "wan-mini",
    trace_id: str | None = None,
    training: TrainingPlan | None = None,
    **request: Any,
) -> Job:
    """A queued job with its message, as `jobs.submit` leaves it."""
    fields: dict[str, Any] = {
        "model": model,
        "prompt": "a red ball rolls to the left",
        "size": "96x160",
        "num_frames": 17,
        "fps": 16,
        "seed": 7,
        "num_inference_steps": 4,
        "guidance_scale": 3.0,
    }
    at = now()
    job = Job(
        id=new_job_id(),
        owner=owner,
        status=State.QUEUED,
        trace_id=trace_id,
        request=VideoRequest(**(fields | request)),
        source=Source(door="api"),
        created_at=at,
        updated_at=at,
        queued_at=at,
        training=training,
    )
    assert aws.store().create(job)
    aws.queues().send(job)
    return job


def wait_for(probe: Callable[[], Any], *, what: str, timeout_s: float = WAIT_S) -> Any:
    """Poll until `probe` answers something true."""
    limit_s = time.monotonic() + timeout_s
    while time.monotonic() < limit_s:
        answer = probe()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s:.0f} s in vain for {what}")


def ended(aws: LocalAws, job: Job, *, timeout_s: float = WAIT_S) -> Job:
    """The job once it has ended."""

    def look() -> Job | None:
        found = aws.store().get(job.id)
        return found if is_terminal(found.status) else None

    found: Job = wait_for(look, what=f"the end of {job.id}", timeout_s=timeout_s)
    return found


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return
