"""`python -m tests.chaos.bench`: what the agent itself costs. Prints figures; the machine and model are the caller's.

Gap: from the last frame of one job to the first denoise step of the next, with a full queue and a warm model.
Checkpoints: tests.chaos.bench_checkpoints.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from gpu_agent.cadence import Cadence
from models.interface import GenerationRequest
from tests.chaos.bench_checkpoints import measure, tell
from tests.chaos.world.agents import ended, start_agent, submit
from tests.chaos.world.emulator import LocalAws, emulator, make_resources

ONE_MINUTE_S = 60.0
MAX_OVERHEAD = 0.005  # the promise, and the agent's default


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--interval-s", type=float, default=2.0, help="production: 120")
    asked = parser.parse_args()
    cadence = Cadence(interval_s=asked.interval_s, max_overhead=MAX_OVERHEAD)
    request = request_of(asked.steps, asked.frames)
    print(tell(measure(request, pairs=asked.pairs, cadence=cadence, weights=None), cadence), flush=True)
    gaps_s = measure_gaps(asked.jobs, num_inference_steps=asked.steps, size="128x128", num_frames=asked.frames)
    gap_s = statistics.median(gaps_s)
    print(
        f"gap between jobs: median {gap_s * 1000:.0f} ms, longest {max(gaps_s) * 1000:.0f} ms of {len(gaps_s)}, "
        f"{gap_s / ONE_MINUTE_S:.2%} of a one-minute job"
    )


def request_of(steps: int, frames: int) -> GenerationRequest:
    return GenerationRequest(
        model="wan-mini",
        prompt="a red ball rolls to the left",
        negative_prompt="",
        shots=(),
        continuity="cut",
        width=128,
        height=128,
        num_frames=frames,
        fps=16,
        num_inference_steps=steps,
        guidance_scale=3.0,
        guidance_scale_2=None,
        seed=7,
        image=None,
        loras=(),
    )


def measure_gaps(num_jobs: int, **request: Any) -> list[float]:
    """Seconds between the jobs of a full queue, of an agent with a warm model, as it logs them itself. Each has a text
    of its own, which nobody has encoded before."""
    with tempfile.TemporaryDirectory() as name, emulator(Path(name)) as endpoint:
        aws = LocalAws.named(endpoint, "bench")
        make_resources(aws)
        agent = start_agent(
            aws, Path(name) / "agent", "i-bench", checkpoint_interval_s=120, checkpoint_max_overhead=MAX_OVERHEAD
        )
        try:
            for job in [submit(aws, prompt=f"a red ball rolls {turn} times", **request) for turn in range(num_jobs)]:
                ended(aws, job, timeout_s=600)
            return [line["gap_s"] for line in agent.said("first step")]
        finally:
            agent.close()


if __name__ == "__main__":
    main()
