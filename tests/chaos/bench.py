"""`python -m tests.chaos.bench`: what the agent itself costs. Prints figures; the machine and model are the caller's.

Gap: from the last frame of one job to the first denoise step of the next, with a full queue and a warm model.
Checkpoints: the same jobs with periodic checkpoints at every interval and with none, as a share of the denoise time.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from jobs.job import Job
from tests.chaos.world.agents import ended, start_agent, submit
from tests.chaos.world.emulator import LocalAws, emulator, make_resources

ONE_MINUTE_S = 60.0
NEVER_S = 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--interval-s", type=float, default=2.0)
    asked = parser.parse_args()
    request = {"num_inference_steps": asked.steps, "size": "128x128", "num_frames": 33}
    with tempfile.TemporaryDirectory() as folder, emulator(Path(folder)) as endpoint:
        aws = LocalAws.named(endpoint, "bench")
        make_resources(aws)
        plain, gaps = measure(aws, Path(folder) / "plain", asked.jobs, NEVER_S, request)
        saved, _ = measure(aws, Path(folder) / "saved", asked.jobs, asked.interval_s, request)
    gap_s = statistics.median(gaps)
    print(
        f"gap between jobs: median {gap_s * 1000:.0f} ms of {len(gaps)}, {gap_s / ONE_MINUTE_S:.2%} of a one-minute job"
    )
    overhead = statistics.median(saved) / statistics.median(plain) - 1
    print(
        f"denoising with a checkpoint every {asked.interval_s:g} s: {overhead:+.2%} of {statistics.median(plain):.2f} s"
    )


def measure(
    aws: LocalAws, folder: Path, num_jobs: int, interval_s: float, request: dict[str, Any]
) -> tuple[list[float], list[float]]:
    """Denoise seconds of each job but the first (which warms up), and the gaps between them."""
    agent = start_agent(
        aws, folder, f"i-{folder.name}", checkpoint_interval_s=interval_s, checkpoint_max_overhead=0.005, lease_s=60
    )
    try:
        jobs: list[Job] = [ended(aws, job, timeout_s=600) for job in [submit(aws, **request) for _ in range(num_jobs)]]
        denoise_s = [job.seconds_by_phase["denoise"] for job in jobs[1:]]
        gaps_s = [line["gap_s"] for line in agent.said("first step")]
    finally:
        agent.close()
    return denoise_s, gaps_s


if __name__ == "__main__":
    main()
