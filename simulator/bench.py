"""How long a million jobs take: `python -m simulator.bench`."""

import argparse
import time

from simulator.compare import compare
from simulator.policies import OURS
from simulator.scenario import Demand, Fleet, Scenario

RATE_PER_HOUR = 2_000.0


def main() -> None:
    """Prints the seconds of one run of our policy, on the processor and by the wall clock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    jobs = parser.parse_args().jobs
    demand = Demand(pattern="poisson", videos_per_hour=RATE_PER_HOUR, hours=jobs / RATE_PER_HOUR)
    scenario = Scenario(demand=demand, fleet=Fleet(max_instances=1_000))
    began_cpu_s, began_s = time.process_time(), time.perf_counter()
    (result,) = compare(scenario, [OURS]).results
    cpu_s, wall_s = time.process_time() - began_cpu_s, time.perf_counter() - began_s
    print(f"{result.videos:,} jobs: {cpu_s:.1f} s on one core, {wall_s:.1f} s by the clock")
    print(
        f"US$ {result.usd_per_video:.3f} per video, p95 {result.p95_s / 60:.1f} min, {result.most_instances} instances"
    )


if __name__ == "__main__":
    main()
