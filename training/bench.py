"""`python -m training.bench`: cold and warm seconds of a 33-frame video with wan-mini on two CPU cores.

Processor seconds are printed too: on a machine that does other work they say more than the wall clock.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from training.evaluation.generate import text_to_video
from training.evaluation.pipelines import open_pipeline
from training.pack import CHECKPOINTS

PROMPT = "a red circle moving right on a blue background"


@dataclass(frozen=True, kw_only=True)
class Took:
    """Wall-clock and processor seconds of a call."""

    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.wall_s:.1f} s (processor {self.cpu_s:.1f} s)"


def timed(call: Callable[[], Any]) -> tuple[Took, Any]:
    """The call's result and what it took."""
    wall, processor = time.perf_counter(), time.process_time()
    result = call()
    return Took(wall_s=time.perf_counter() - wall, cpu_s=time.process_time() - processor), result


def main() -> None:
    """Print what loading takes, the first video after it, and later ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    load, pipe = timed(lambda: open_pipeline(CHECKPOINTS / "wan-mini", "cpu"))
    print(f"load {load}", flush=True)
    first, _ = timed(lambda: text_to_video(pipe, [PROMPT]))
    print(f"first video {first}, cold {load.wall_s + first.wall_s:.1f} s", flush=True)
    for _ in range(arguments.repeats):
        warm, _ = timed(lambda: text_to_video(pipe, [PROMPT]))
        print(f"warm video {warm}", flush=True)


if __name__ == "__main__":
    main()
