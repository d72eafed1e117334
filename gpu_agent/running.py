"""The job that a slot's worker denoises right now, as the agent sees it."""

import time
from dataclasses import dataclass, field

from gpu_agent.budget import WorkUnderWay
from gpu_agent.held import HeldJob
from gpu_agent.lease import Lease
from gpu_agent.worker.protocol import CheckpointSaved, StepDone, StopWhy

SAVE_S = 1.0  # expected for writing a checkpoint, until one was measured
UNKNOWN_CHECKPOINT_BYTES = 100e6  # the largest of FACTS: UniPC's state of 81 frames at 720p
STEP_WEIGHT = 0.3  # of the newest step in the running mean


@dataclass(kw_only=True)
class Running:
    """Monotonic times. `stop` is what the worker was asked, `give_up_at_s` when waiting for it ends; `encoder_heard_s`
    is when the encoder last took frames, once only it has work left."""

    held: HeldJob
    lease: Lease
    phase: str = "load"
    step_s: float | None = None
    step_began_s: float = field(default_factory=time.monotonic)
    steps_left: int | None = None
    saved: CheckpointSaved | None = None
    noticed: bool = False
    stop: StopWhy | None = None
    give_up_at_s: float | None = None
    first_step_seen: bool = False
    encoder_heard_s: float | None = None

    def note_phase(self, phase: str) -> None:
        self.phase = phase
        self.step_began_s = time.monotonic()

    def note_step(self, step: StepDone) -> None:
        known = step.seconds if self.step_s is None else self.step_s
        self.step_s = (1 - STEP_WEIGHT) * known + STEP_WEIGHT * step.seconds
        self.step_began_s = time.monotonic()
        self.steps_left = step.total - step.index
        self.first_step_seen = True

    def encoder_silent_s(self) -> float:
        """Seconds since the encoder, which alone has work left, took frames."""
        return 0.0 if self.encoder_heard_s is None else time.monotonic() - self.encoder_heard_s

    def remaining_s(self) -> float | None:
        """Seconds of denoising left, None while nobody can tell."""
        if self.phase == "decode":
            return 0.0
        if self.step_s is None or self.steps_left is None:
            return None
        return self.step_s * self.steps_left

    def under_way(self, *, upload_bytes_per_s: float, finish_s: float | None = None) -> WorkUnderWay:
        """For the decision on a notice. `finish_s` is what decoding and encoding took for the last such job."""
        return WorkUnderWay(
            phase=self.phase,
            step_s=self.step_s,
            since_step_s=time.monotonic() - self.step_began_s,
            save_s=self.saved.save_s + self.saved.cost_s if self.saved else SAVE_S,
            upload_s=self._checkpoint_bytes() / upload_bytes_per_s,
            finish_s=finish_s,
        )

    def _checkpoint_bytes(self) -> float:
        if self.saved is None:
            return UNKNOWN_CHECKPOINT_BYTES
        try:
            return float(self.saved.path.stat().st_size)
        except FileNotFoundError:  # its upload, which is another thread's, takes it away at any moment
            return UNKNOWN_CHECKPOINT_BYTES
