"""`python -m training.bench`: cold and warm seconds of a 33-frame video with wan-mini on two CPU cores."""

import argparse
import time

import torch

from training.evaluation.generate import text_to_video
from training.evaluation.pipelines import open_pipeline
from training.pack import CHECKPOINTS

PROMPT = "a red circle moving right on a blue background"


def _seconds(make: object, *arguments: object) -> tuple[float, object]:
    begun = time.perf_counter()
    result = make(*arguments)  # type: ignore[operator]
    return time.perf_counter() - begun, result


def main() -> None:
    """Print the seconds of loading, of the first video after it, and of later ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    load_s, pipe = _seconds(open_pipeline, CHECKPOINTS / "wan-mini", "cpu")
    first_s, _ = _seconds(text_to_video, pipe, [PROMPT])
    warm_s = [_seconds(text_to_video, pipe, [PROMPT])[0] for _ in range(arguments.repeats)]
    print(f"load {load_s:.1f} s, cold {load_s + first_s:.1f} s, warm {min(warm_s):.1f} s (best of {len(warm_s)})")


if __name__ == "__main__":
    main()
