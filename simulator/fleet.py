"""The simulated instances and their slots."""

from dataclasses import dataclass, field

from simulator.market import Pool


@dataclass(slots=True, eq=False)
class Slot:
    """One worker. `turn` grows with each job, so that the end of a job that was interrupted finds itself outdated."""

    instance: "Instance"
    loaded: int = -1
    job: int = -1
    turn: int = 0
    began_s: float = 0.0
    works_from_s: float = 0.0
    ends_s: float = 0.0


@dataclass(slots=True, eq=False)
class Instance:
    """One machine. Spot holds a place in a pool; on demand has none."""

    is_spot: bool
    launched_s: float
    usd_per_hour: float
    pool: Pool | None = None
    place: int = 0
    number: int = -1
    slots: list[Slot] = field(default_factory=list)
    busy: int = 0
    idle_turn: int = 0
    is_ready: bool = False
    is_leaving: bool = False
    is_retired: bool = False
    is_gone: bool = False

    def kept_s(self, now_s: float) -> float:
        """For how long its slots still work."""
        return max((slot.ends_s - now_s for slot in self.slots if slot.job >= 0), default=0.0)

    def usd(self, until_s: float) -> float:
        """What it has cost by then."""
        return (until_s - self.launched_s) * self.usd_per_hour / 3600.0


@dataclass(slots=True)
class Meter:
    """Slot-seconds by what they went into, and US$."""

    boot_s: float = 0.0
    load_s: float = 0.0
    compute_s: float = 0.0
    lost_s: float = 0.0
    rented_s: float = 0.0
    usd: float = 0.0
    on_demand_usd: float = 0.0
    launches: int = 0
    interruptions: int = 0
    jobs_interrupted: int = 0
    jobs_moved: int = 0
    most_instances: int = 0

    @property
    def idle_s(self) -> float:
        """What was rented and did none of it."""
        return max(0.0, self.rented_s - self.boot_s - self.load_s - self.compute_s - self.lost_s)
