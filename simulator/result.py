"""A run in figures."""

import numpy as np
from pydantic import BaseModel, ConfigDict

from simulator.arrivals import Arrivals
from simulator.engine import Simulation


class Result(BaseModel):
    """One policy's run. Shares are of the slot-seconds that were rented; latency is from the request to the video."""

    model_config = ConfigDict(frozen=True)

    policy: str
    videos: int
    usd: float
    usd_per_video: float
    on_demand_usd: float
    mean_s: float
    mean_compute_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    busy_share: float
    boot_share: float
    load_share: float
    idle_share: float
    lost_share: float
    lost_h: float
    launches: int
    interruptions: int
    jobs_interrupted: int
    jobs_moved: int
    most_instances: int


def measure(policy: str, run: Simulation, arrivals: Arrivals) -> Result:
    """The figures of a run that has ended."""
    meter = run.meter
    p50_s, p95_s, p99_s = np.percentile(run.finished_s - arrivals.time_s, [50, 95, 99]).tolist()
    rented_s = meter.rented_s or 1.0
    count = len(run.finished_s)
    return Result(
        policy=policy,
        videos=count,
        usd=meter.usd,
        usd_per_video=meter.usd / count,
        on_demand_usd=meter.on_demand_usd,
        mean_s=float(np.mean(run.finished_s - arrivals.time_s)),
        mean_compute_s=(meter.compute_s + meter.load_s + meter.lost_s) / count,
        p50_s=p50_s,
        p95_s=p95_s,
        p99_s=p99_s,
        busy_share=meter.compute_s / rented_s,
        boot_share=meter.boot_s / rented_s,
        load_share=meter.load_s / rented_s,
        idle_share=meter.idle_s / rented_s,
        lost_share=meter.lost_s / rented_s,
        lost_h=meter.lost_s / 3600.0,
        launches=meter.launches,
        interruptions=meter.interruptions,
        jobs_interrupted=meter.jobs_interrupted,
        jobs_moved=meter.jobs_moved,
        most_instances=meter.most_instances,
    )
