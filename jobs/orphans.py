"""Files in the media bucket that nobody needs any more: decided here, from values.

The bucket is looked through in chunks, one a run, each prefix from where the last run stopped; so a run costs the same
however much there is. What was written within the last hour is left alone: its record may be on its way.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from jobs import s3_keys
from jobs.job import Job
from jobs.states import is_terminal

SETTLES_AFTER_S = 3600.0
Kind = Literal["checkpoints", "videos", "inputs", "uploads"]


class Found(NamedTuple):
    """A file below `checkpoints/<job>/`, `videos/<job>/<attempt>/`, `inputs/` or `uploads/`; `at` in unix seconds."""

    key: str
    at: float


def orphans(
    kind: Kind, found: Iterable[Found], jobs: Mapping[str, Job], *, upload_lifetime_s: float, now: float
) -> list[str]:
    """Keys to delete. `jobs` has the jobs that there are, by the keys of their files.

    Checkpoints of jobs that have ended, files of jobs that were deleted, inputs whose job was refused or deleted, files
    of attempts whose video was not taken, uploads that were kept for as long as was promised (a job that uses one keeps
    its own copy)."""
    if kind == "uploads":
        return [one.key for one in found if now - one.at >= upload_lifetime_s]
    old = [one for one in found if now - one.at >= SETTLES_AFTER_S]
    return [one.key for one in old if _is_orphan(kind, one.key, jobs.get(one.key))]


def job_of(key: str) -> str:
    """The job id in a key of checkpoints or videos."""
    return key.split("/", 2)[1]


def _is_orphan(kind: Kind, key: str, job: Job | None) -> bool:
    if kind == "inputs":
        return job is None and s3_keys.is_own_input(key)
    if job is None:
        return True
    if kind == "checkpoints":
        return is_terminal(job.status)
    return is_terminal(job.status) and not _is_shown(key, job)


def _is_shown(key: str, job: Job) -> bool:
    """Of an ended job: its video with what is beside and below it, and what any attempt told of the training."""
    taken = job.outputs is not None and key.startswith(job.outputs.video.rpartition("/")[0] + "/")
    return taken or (job.training is not None and s3_keys.is_training_file(key))
