"""Plays EC2 for the Auto Scaling group: one agent process for each instance that the group has in service."""

import logging
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.fleet_decision import Agent, decide, ended
from local.processes import Child
from local.settings import LocalSettings

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

logger = logging.getLogger(__name__)


class LocalFleet:
    """`tick` is called about once a second, always from the thread that made the fleet (local.leash says why)."""

    def __init__(
        self,
        settings: LocalSettings,
        *,
        group_name: str,
        client: "AutoScalingClient",
        environment: Mapping[str, str],
    ) -> None:
        self._settings = settings
        self._group_name = group_name
        self._client = client
        self._environment = environment
        self._agents: dict[str, Agent] = {}
        self._children: dict[str, Child] = {}
        self._stopping: dict[str, tuple[Child, float]] = {}

    def tick(self) -> None:
        """Brings the processes one step nearer to what the group wants; a group that cannot be read changes nothing."""
        now_s = time.monotonic()
        self._note_ended(now_s)
        self._finish_stops(now_s)
        try:
            wanted = self._in_service()
        except (BotoCoreError, ClientError) as error:
            logger.warning("cannot read the group %s: %s", self._group_name, error)
            return
        changes = decide(wanted, self._agents, now_s=now_s)
        for instance_id in changes.stop:
            self._begin_stop(instance_id, now_s)
        for instance_id in changes.forget:
            del self._agents[instance_id]
        for instance_id in changes.start:
            self._start(instance_id, now_s)

    def stop(self) -> None:
        """Ends all agents: asks every one first, so that they drain side by side."""
        children = [*self._children.values(), *(child for child, _ in self._stopping.values())]
        for child in children:
            child.ask_to_stop()
        limit = time.monotonic() + self._settings.agent_stop_s
        for child in children:
            child.stop(grace_s=max(0.1, limit - time.monotonic()))

    def _in_service(self) -> set[str]:
        groups = self._client.describe_auto_scaling_groups(AutoScalingGroupNames=[self._group_name])
        instances = groups["AutoScalingGroups"][0]["Instances"] if groups["AutoScalingGroups"] else []
        return {one["InstanceId"] for one in instances if one["LifecycleState"] == "InService"}

    def _start(self, instance_id: str, now_s: float) -> None:
        before = self._agents.get(instance_id)
        scratch = self._settings.directory / "instances" / instance_id
        scratch.mkdir(parents=True, exist_ok=True)
        logger.info("instance %s: starting its agent", instance_id)
        self._children[instance_id] = Child(
            instance_id,
            [sys.executable, "-m", "gpu_agent"],
            environment={
                **self._environment,
                "REVALIDA_INSTANCE_ID": instance_id,
                "REVALIDA_SCRATCH_DIR": str(scratch),
            },
            log=self._settings.logs / f"agent-{instance_id}.log",
            pid_file=self._settings.pids / f"agent-{instance_id}.pid",
        )
        self._agents[instance_id] = Agent(started_at_s=now_s, failures=before.failures if before else 0)

    def _begin_stop(self, instance_id: str, now_s: float) -> None:
        logger.info("instance %s is gone: stopping its agent", instance_id)
        child = self._children.pop(instance_id)
        child.ask_to_stop()
        self._stopping[instance_id] = (child, now_s + self._settings.agent_stop_s)
        del self._agents[instance_id]

    def _finish_stops(self, now_s: float) -> None:
        for instance_id, (child, limit_s) in list(self._stopping.items()):
            if child.exit_code() is not None or now_s >= limit_s:
                child.stop(grace_s=0.1)
                del self._stopping[instance_id]

    def _note_ended(self, now_s: float) -> None:
        for instance_id, child in list(self._children.items()):
            code = child.exit_code()
            if code is None:
                continue
            logger.info("instance %s: its agent ended with %d", instance_id, code)
            child.stop(grace_s=0.1)
            del self._children[instance_id]
            self._agents[instance_id] = ended(self._agents[instance_id], now_s=now_s)
