"""When a job will be done, and when to ask again: functions of values."""

from jobs.job import Estimate, Job
from jobs.states import State

MIN_POLL_MS = 500
MAX_POLL_MS = 15_000
POLLS_PER_ETA = 20  # a client that asks twenty times on the way is at most 5% late


def eta_seconds(job: Job, *, ahead: int, slots: int, now: float) -> float | None:
    """Seconds until the video is done; None if nothing was predicted or nothing is to come. `ahead` and `slots` as in
    `until_done_s`."""
    if job.status is State.IN_PROGRESS:
        return remaining_s(job, now)
    if job.status is not State.QUEUED or job.estimate is None:
        return None
    return until_done_s(job.estimate, ahead=ahead, slots=slots)


def until_done_s(predicted: Estimate, *, ahead: int, slots: int) -> float:
    """Seconds from the queue to the finished video, boot and weight load included.

    `ahead` counts the model's older queued jobs, `slots` the slots that work now (0: one has to boot first)."""
    wait_s = ahead * predicted.seconds / max(1, slots)
    return wait_s + predicted.load_s + predicted.seconds + (0.0 if slots else predicted.boot_s)


def work_left_s(job: Job) -> float:
    """Slot-seconds that a queued job needs: all that was predicted, or what comes after its checkpoint."""
    if job.estimate is None:
        return 0.0
    left = 1.0 - job.checkpoint_step / job.total_steps if job.total_steps else 1.0
    return job.estimate.seconds * max(0.0, left)


def remaining_s(job: Job, now: float) -> float | None:
    """Seconds a running job still needs: by this attempt's own pace once it has one, by the estimate before."""
    attempt = job.attempts[-1]
    done = job.step - attempt.resumed_from_step
    if done > 0 and job.total_steps:
        pace_s = (job.updated_at - attempt.started_at) / done
        return max(0.0, (job.total_steps - job.step) * pace_s - (now - job.updated_at))
    if job.estimate is None:
        return None
    return max(0.0, job.estimate.load_s + job.estimate.seconds - (now - attempt.started_at))


def poll_after_ms(eta_s: float | None) -> int:
    """What `openai-poll-after-ms` says: the SDK reads it once and keeps to it."""
    if eta_s is None:
        return 1_000
    return int(min(MAX_POLL_MS, max(MIN_POLL_MS, 1_000 * eta_s / POLLS_PER_ETA)))
