"""`python -m tests.chaos.reference FOLDER`: the undisturbed videos, made without agent, queue or checkpoint."""

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import imageio.v3 as iio

from gpu_agent.inputs import generation_request
from jobs.clock import now
from jobs.ids import new_job_id
from jobs.job import Job, Source
from jobs.states import State
from jobs.validation import parse, resolve

MODEL = "wan-mini"  # two experts, and UniPC's history, which a checkpoint without the scheduler's state would lose
# Denoise steps by the request's seed: long jobs for the faults that must strike amid one, short ones to be many.
# A step takes about 0.2 s of a core: a long job outlasts what a fault waits for, on a quick machine, too.
LONG = {11: 50, 12: 50}
SHORT = {13: 4, 14: 4}
STEPS = LONG | SHORT


def seed_of(number: int, *, long_every: int) -> int:
    """The seed of the run's `number`th request."""
    seeds = tuple(LONG if number % long_every == 0 else SHORT)
    return seeds[number // long_every % len(seeds)]


def request_of(seed: int) -> dict[str, Any]:
    """What every door is asked for. A job of the run is known by its seed."""
    return {
        "model": MODEL,
        "prompt": "a red ball rolls to the left",
        "seed": seed,
        "num_inference_steps": STEPS[seed],
        "size": "96x160",
        "num_frames": 17,
    }


def digest_of(video: bytes) -> str:
    """SHA-256 of the decoded frames and their shape."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        path.write_bytes(video)
        frames = iio.imread(path, plugin="pyav")
    return hashlib.sha256(str(frames.shape).encode() + frames.tobytes()).hexdigest()


def make(folder: Path) -> None:
    """Write `<seed>.mp4` for every seed, as the worker would."""
    import torch

    from models import registry
    from models.output import write_video

    torch.set_num_threads(1)
    model = registry.load(MODEL, device="cpu")
    for seed in STEPS:
        asked = generation_request(_job(seed), image=None, loras=())
        frames = model.generate(asked, resume=None, on_step=lambda step: None, on_phase=lambda phase: None)
        write_video(
            frames,
            folder / f"{seed}.part.mp4",
            fps=asked.fps,
            num_frames=asked.num_frames,
            thumbnail=folder / f"{seed}.jpg",
            spritesheet=folder / f"{seed}.sheet.jpg",
        )
        (folder / f"{seed}.part.mp4").rename(folder / f"{seed}.mp4")


def _job(seed: int) -> Job:
    at = now()
    return Job(
        id=new_job_id(),
        owner="reference",
        status=State.QUEUED,
        request=resolve(parse(request_of(seed)), default_model=MODEL, now=at),
        source=Source(door="api"),
        created_at=at,
        updated_at=at,
        queued_at=at,
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
