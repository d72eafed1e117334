"""When a running job is due a checkpoint: a pure decision over seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cadence:
    """`interval_s` bounds the work that an unannounced kill can cost.

    `max_overhead` bounds the share of the run that taking checkpoints may cost: where one checkpoint takes long, the
    interval stretches rather than the share grow.
    """

    interval_s: float
    max_overhead: float


def checkpoint_due(cadence: Cadence, *, since_last_s: float, last_cost_s: float, step: int, total_steps: int) -> bool:
    """Whether to take a checkpoint after denoise step `step` of `total_steps`.

    `since_last_s` counts from the last checkpoint or the first step; `last_cost_s` is what the last one took of the
    denoising thread's time. One is always taken after the last step, so that decoding can be given up and done again.
    """
    if step >= total_steps:
        return True
    return since_last_s >= max(cadence.interval_s, last_cost_s / cadence.max_overhead)


def steps_at_risk(cadence: Cadence, *, step_s: float, checkpoint_cost_s: float) -> int:
    """The most whole steps that an unannounced kill can cost, the one under way included."""
    interval_s = max(cadence.interval_s, checkpoint_cost_s / cadence.max_overhead)
    return int(interval_s // step_s) + 2 if step_s > 0 else 1
