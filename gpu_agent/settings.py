"""The agent's settings: `REVALIDA_*` from the environment, checked at start."""

import tempfile
from functools import lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from gpu_agent.cadence import Cadence
from gpu_agent.choice import ChoicePolicy
from gpu_agent.supervision import SupervisionPolicy
from jobs.request import Tier
from jobs.waiting import ON_DEMAND_PATIENCE_S

# The link-local address of the instance metadata service: docs.aws.amazon.com/AWSEC2, "Instance metadata".
IMDS_ENDPOINT = "http://169.254.169.254"


class AgentSettings(BaseSettings):
    """How one agent behaves. Times are seconds; every default is for a g5.12xlarge on Spot."""

    model_config = SettingsConfigDict(env_prefix="REVALIDA_", frozen=True)

    table: str
    media_bucket: str
    queue_prefix: str

    instance_id: str | None = None
    imds_endpoint: str = IMDS_ENDPOINT
    imds_poll_s: float = 5.0  # AWS recommends looking for the Spot notice every five seconds
    scratch_dir: Path = Field(default_factory=lambda: Path(tempfile.gettempdir()) / "revalida-agent")
    weights_dir: Path = Path("weights")
    gpus_per_slot: int = Field(default=1, ge=1)
    cpu_slots: int = Field(default=1, ge=1)
    cpu_threads: int = Field(default=1, ge=1)
    tier: Tier = "exact"  # of requests that name none
    lifecycle_hook: str = ""  # of the group, on termination; empty: there is none
    usd_per_hour: float | None = None  # of the whole instance; None: gpu_agent.pricing finds out
    instance_usd_per_hour: dict[str, float] = Field(default_factory=dict)  # JSON: on-demand, by instance type

    lease_s: float = Field(default=60.0, gt=0)
    heartbeat_s: float = Field(default=10.0, gt=0)
    progress_s: float = Field(default=0.3, ge=0)  # the least time between two progress writes of one job
    poll_wait_s: int = Field(default=5, ge=0, le=20)
    busy_message_s: int = Field(default=15, ge=0)  # how long the message of a job that runs elsewhere stays away
    fleet_report_s: float = 10.0

    checkpoint_interval_s: float = Field(default=120.0, ge=0)
    checkpoint_max_overhead: float = Field(default=0.005, gt=0)
    upload_bytes_per_s: float = 100e6  # of one S3 stream, until the first upload was measured
    notice_margin_s: float = 8.0
    drain_s: float = 100.0
    move_s: float = 1800.0  # a step of the longest video on the slowest card ends within it
    close_s: float = 15.0
    hang_limit_s: float = 1800.0
    idle_limit_s: float = 300.0
    prefetch_lead_s: float = 10.0  # how long before its slot is free a job's inputs and texts are made ready

    affinity_bound_s: float = 300.0
    on_demand_patience_s: float = ON_DEMAND_PATIENCE_S
    priority_ageing_s: float = 3600.0
    latency_target_s: float | None = None
    recycle_after_jobs: int = 50
    max_host_gib: float | None = None  # of one worker process; None: by what its placement plans
    isolate_after: int = 4

    def choice_policy(self) -> ChoicePolicy:
        return ChoicePolicy(
            affinity_bound_s=self.affinity_bound_s,
            on_demand_patience_s=self.on_demand_patience_s,
            priority_ageing_s=self.priority_ageing_s,
            latency_target_s=self.latency_target_s,
        )

    def cadence(self) -> Cadence:
        return Cadence(interval_s=self.checkpoint_interval_s, max_overhead=self.checkpoint_max_overhead)

    def supervision(self) -> SupervisionPolicy:
        return SupervisionPolicy(
            recycle_after_jobs=self.recycle_after_jobs,
            max_host_gib=self.max_host_gib,
            isolate_after=self.isolate_after,
        )


@lru_cache(maxsize=1)
def agent_settings() -> AgentSettings:
    """The process's settings, read once. Raises pydantic.ValidationError naming each bad variable."""
    return AgentSettings()
