"""Jobs and requests as values, for tests."""

from typing import Any

from jobs.ids import new_job_id
from jobs.job import Estimate, Job, Outputs, Source
from jobs.request import VideoRequest
from jobs.s3_keys import asset
from jobs.states import State

T0 = 1_790_000_000.0


def request(**changes: Any) -> VideoRequest:
    fields: dict[str, Any] = {
        "model": "wan-mini",
        "prompt": "a red circle",
        "size": "128x128",
        "num_frames": 33,
        "fps": 16,
        "seed": 1,
        "num_inference_steps": 8,
        "guidance_scale": 3.0,
    }
    return VideoRequest(**{**fields, **changes})


def queued(**changes: Any) -> Job:
    fields: dict[str, Any] = {
        "id": new_job_id(),
        "owner": "default",
        "status": State.QUEUED,
        "request": request(),
        "source": Source(door="api"),
        "created_at": T0,
        "updated_at": T0,
        "queued_at": T0,
        "estimate": Estimate(slot="CPUx1", seconds=10.0, load_s=1.0, boot_s=0.0),
    }
    return Job(**{**fields, **changes})


def outputs(job: Job, attempt: int = 1) -> Outputs:
    return Outputs(
        bucket="media",
        video=asset(job.id, attempt, "video"),
        thumbnail=asset(job.id, attempt, "thumbnail"),
        spritesheet=asset(job.id, attempt, "spritesheet"),
        width=128,
        height=128,
        num_frames=33,
        fps=16,
        bytes=1000,
        seconds=2.0625,
    )


class Clock:
    """A clock that a test moves."""

    def __init__(self, at: float = T0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at
