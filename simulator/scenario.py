"""What is simulated, checked at the door: demand, fleet, market. Times in hours or seconds as the name says."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models import catalog
from models.estimate import BOOT_S, OFFERS

Positive = Annotated[float, Field(gt=0)]

# Drafts by distilled steps, then finals: how a producer works. A guess, to be replaced by one's own.
DEFAULT_MIX: dict[str, float] = {
    "wan2.2-t2v-a14b:4": 0.45,
    "wan2.2-i2v-a14b:4": 0.20,
    "wan2.2-ti2v-5b": 0.10,
    "wan2.2-t2v-a14b": 0.15,
    "hunyuan-video": 0.10,
}


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Demand(_Spec):
    """Videos wanted. `mix` gives each kind's share of them (any scale); a kind is a model's id, or `id:steps` for its
    few-step distilled form (so many steps, no guidance). `high_share` are of high priority.

    `poisson` is constant, `daily` swings over 24 h between a third and five thirds of the mean, `bursts` puts half of
    all videos into campaigns of `burst_videos` at once, `csv` reads `time_s,model[,priority]` from a file."""

    pattern: Literal["poisson", "daily", "bursts", "csv"] = "bursts"
    videos_per_hour: Positive = 30.0
    hours: Positive = 168.0
    mix: dict[str, float] = Field(default_factory=lambda: dict(DEFAULT_MIX))
    high_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    burst_videos: Annotated[int, Field(ge=1)] = 40
    csv: Path | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for kind in self.mix:
            parse_kind(kind)
        if not self.mix or min(self.mix.values()) < 0 or sum(self.mix.values()) <= 0:
            raise ValueError("mix needs shares above zero")
        if (self.pattern == "csv") != (self.csv is not None):
            raise ValueError("pattern csv and a csv file go together")
        return self


def parse_kind(kind: str) -> tuple[catalog.ModelSpec, int | None]:
    """`wan2.2-t2v-a14b:4` is that model's spec and 4 steps. Raises ValueError for what the catalog has not."""
    name, _, steps = kind.partition(":")
    try:
        spec = catalog.get(name)
        return spec, catalog.check_steps(spec, int(steps)) if steps else None
    except (catalog.CatalogError, ValueError) as error:
        raise ValueError(f"{kind}: {error}") from error


class Fleet(_Spec):
    """What may be rented, and how agents behave. Prices are US$ an hour of one instance, as the catalog of offers has
    them unless given."""

    instance_type: str = "g5.12xlarge"
    gpus_per_slot: Annotated[int, Field(ge=1)] = 1
    max_instances: Annotated[int, Field(ge=1)] = 40
    max_on_demand: Annotated[int, Field(ge=0)] = 10
    spot_usd_per_hour: Positive | None = None
    on_demand_usd_per_hour: Positive | None = None
    boot_s: Annotated[float, Field(ge=0)] = BOOT_S
    idle_limit_s: Positive = 300.0
    target_backlog_s: Positive = 300.0
    latency_target_s: Annotated[float, Field(ge=0)] = 4500.0
    checkpoint_interval_s: Positive = 120.0
    estimate_error: Annotated[float, Field(ge=0, le=1)] = 0.1

    @model_validator(mode="after")
    def _can_be_rented(self) -> Self:
        if self.instance_type not in OFFERS:
            raise ValueError(f"unknown instance type {self.instance_type}; known: {', '.join(OFFERS)}")
        if OFFERS[self.instance_type].gpus % self.gpus_per_slot:
            raise ValueError(f"{OFFERS[self.instance_type].gpus} GPUs do not divide into slots of {self.gpus_per_slot}")
        if self.spot_usd is None or self.on_demand_usd is None:
            raise ValueError(f"no price is known for {self.instance_type}: give the Spot and the on-demand price")
        return self

    @property
    def slots_per_instance(self) -> int:
        return OFFERS[self.instance_type].gpus // self.gpus_per_slot

    @property
    def vcpus(self) -> int:
        return OFFERS[self.instance_type].vcpus

    @property
    def spot_usd(self) -> float | None:
        return self.spot_usd_per_hour or OFFERS[self.instance_type].spot_usd_per_hour

    @property
    def on_demand_usd(self) -> float | None:
        return self.on_demand_usd_per_hour or OFFERS[self.instance_type].on_demand_usd_per_hour


class Market(_Spec):
    """The Spot market: `pools` zones, each open for `open_h` and dry for `dry_h` on average (exponential).

    `interruption_mean_h` is an instance's mean life while its pool is open; a pool that goes dry takes back
    `reclaim_share` of its instances. `silent_share` of interruptions come without the two minutes' notice."""

    pools: Annotated[int, Field(ge=1)] = 3
    open_h: Positive = 24.0
    dry_h: Positive = 2.0
    interruption_mean_h: Positive = 12.0
    reclaim_share: Annotated[float, Field(ge=0, le=1)] = 0.3
    silent_share: Annotated[float, Field(ge=0, le=1)] = 0.05


class Scenario(_Spec):
    """One run's whole input; the same seed draws the same arrivals and the same market for every policy."""

    seed: int = 1
    demand: Demand = Field(default_factory=Demand)
    fleet: Fleet = Field(default_factory=Fleet)
    market: Market = Field(default_factory=Market)
