"""What an agent has in hand: the attempts it holds, each with its lease, progress and message."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from gpu_agent.worker.protocol import LoraTrained
from jobs.eta import work_left_s
from jobs.job import Job, Phase
from jobs.queue import Message


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What the next heartbeat reports. `checkpoint_step` is the newest step in S3, None for no news."""

    step: int = 0
    total_steps: int = 0
    phase: Phase | None = None
    checkpoint_step: int | None = None


class HeldJob:
    """One attempt that this agent owns. Threads share it: the slot's pump, the lease, the uploads.

    `lost` is set once the attempt is no longer ours: from then on nothing may be written for it. `cancel` is set once
    the caller wants the job no more. `message` is the SQS message held with it, which may be another job's.
    `trained` is what a training job has learned, once it has.
    """

    def __init__(self, job: Job, *, message: Message | None, directory: Path) -> None:
        self.job = job
        self.message = message
        self.directory = directory
        self.lost = threading.Event()
        self.cancel = threading.Event()
        self.changed = threading.Event()
        self.began_s = time.monotonic()
        self.seconds_by_phase: dict[str, float] = {}
        self.trained: LoraTrained | None = None
        self._lock = threading.Lock()
        self._progress = Progress(step=job.checkpoint_step, total_steps=job.total_steps, phase="load")

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def attempt(self) -> int:
        return self.job.attempt

    @property
    def key(self) -> tuple[str, int]:
        return (self.job.id, self.job.attempt)

    @property
    def progress(self) -> Progress:
        with self._lock:
            return self._progress

    def advance(
        self,
        *,
        step: int | None = None,
        total_steps: int | None = None,
        phase: Phase | None = None,
        checkpoint_step: int | None = None,
    ) -> None:
        """Note progress; the lease reports it soon."""
        with self._lock:
            old = self._progress
            self._progress = Progress(
                step=old.step if step is None else step,
                total_steps=old.total_steps if total_steps is None else total_steps,
                phase=old.phase if phase is None else phase,
                checkpoint_step=old.checkpoint_step if checkpoint_step is None else checkpoint_step,
            )
        self.changed.set()

    def left_s(self) -> float:
        """Seconds to its end, at least: by the estimate or by its own pace, whichever is less. 0: nobody knows."""
        if self.job.estimate is None:
            return 0.0
        past_s, progress = time.monotonic() - self.began_s, self.progress
        left_s = self.job.estimate.load_s + work_left_s(self.job) - past_s
        done = progress.step - self.job.checkpoint_step
        if done > 0:  # loading counts as pace: the fewer steps are done, the longer that says it takes
            left_s = min(left_s, past_s / done * (progress.total_steps - progress.step))
        return max(0.0, left_s)

    @property
    def checkpoint_step(self) -> int:
        """The newest step from which another machine can go on."""
        known = self.progress.checkpoint_step
        return self.job.checkpoint_step if known is None else known


class Hands:
    """Counts the work in hand, from the moment a slot looks for work until the last write for a job.

    Leaving is safe only when cordoned and empty, and both are decided under one lock: no slot can take work in between.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looking = 0
        self._reserved = 0
        self._held: dict[tuple[str, int], HeldJob] = {}
        self._cordons: set[str] = set()
        self._idle_since_s = time.monotonic()

    def begin_looking(self) -> bool:
        """A slot may look for work; False when cordoned. Ends with `end_looking`."""
        with self._lock:
            if self._cordons:
                return False
            self._looking += 1
            return True

    def end_looking(self, *, found: bool) -> None:
        with self._lock:
            self._looking -= 1
            self._reserved += found
            self._touch()

    def drop_reservation(self) -> None:
        with self._lock:
            self._reserved -= 1
            self._touch()

    def take(self, held: HeldJob) -> None:
        """A reservation became an attempt."""
        with self._lock:
            self._reserved -= 1
            self._held[held.key] = held

    def done(self, held: HeldJob) -> None:
        """Everything about the attempt is written and settled: if it was the last, idleness begins now."""
        with self._lock:
            self._held.pop(held.key, None)
            self._idle_since_s = time.monotonic()

    def cordon(self, reason: str) -> None:
        """No new work from now on, for as long as there is a reason not to take any."""
        with self._lock:
            self._cordons.add(reason)

    def uncordon(self, reason: str) -> None:
        """The reason is gone; others stay."""
        with self._lock:
            self._cordons.discard(reason)

    @property
    def cordoned(self) -> bool:
        with self._lock:
            return bool(self._cordons)

    @property
    def empty(self) -> bool:
        """Nothing in hand, and nobody looking: with a cordon this stays so."""
        with self._lock:
            return not (self._held or self._reserved or self._looking)

    def count(self) -> int:
        """Jobs held or reserved; a slot that looks has nothing in hand yet."""
        with self._lock:
            return len(self._held) + self._reserved

    def held(self) -> list[HeldJob]:
        with self._lock:
            return list(self._held.values())

    def kept_s(self) -> float:
        """For how long the jobs that are held keep this agent, at least."""
        return max((held.left_s() for held in self.held()), default=0.0)

    def idle_s(self) -> float:
        """Seconds since something was last in hand; 0 while something is."""
        with self._lock:
            busy = self._held or self._reserved
            return 0.0 if busy else time.monotonic() - self._idle_since_s

    def begin_idling(self) -> None:
        """Idleness counts from now: before, no slot could have taken work."""
        with self._lock:
            self._idle_since_s = time.monotonic()

    def _touch(self) -> None:
        if self._held or self._reserved:
            self._idle_since_s = time.monotonic()
