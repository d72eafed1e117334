"""One job in the worker: drive the model, report every step, stop between two steps, hand the frames to the encoder."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gpu_agent.worker.channel import Channel
from gpu_agent.worker.encode import EncodingJob
from gpu_agent.worker.protocol import (
    CheckpointRefused,
    FramesDone,
    JobStopped,
    PhaseBegan,
    RunJob,
    StepDone,
    StopWhy,
)
from gpu_agent.worker.snapshots import CheckpointWriter, PeriodicCheckpoints, timed_snapshot
from models.interface import (
    Checkpoint,
    CheckpointCorrupt,
    CheckpointMismatch,
    GenerationStopped,
    Phase,
    Step,
    VideoModel,
)

if TYPE_CHECKING:
    from models.interface import Frame


class JobRun:
    """Generates one job's frames. Raises what the model raises, except for a stop that was asked for."""

    def __init__(self, job: RunJob, model: VideoModel, channel: Channel, writer: CheckpointWriter) -> None:
        self._job = job
        self._model = model
        self._channel = channel
        self._writer = writer
        self._periodic = PeriodicCheckpoints(job, writer)
        self._clock = PhaseClock()
        self._last_step = 0

    def run(self, encoding: EncodingJob, peak_gpu_gib: Callable[[], float]) -> None:
        """Generate into `encoding`; afterwards the slot is free, whatever the encoder still does."""
        try:
            resume = self._load_resume()
            try:
                self._generate(encoding, resume)
            except CheckpointMismatch as error:
                if resume is None or encoding.frames_taken:
                    raise
                self._refuse(str(error))
                self._generate(encoding, None)
        except GenerationStopped:
            encoding.abandon()
            self._report_stop()
            return
        except BaseException:
            encoding.abandon()
            raise
        encoding.end_of_frames()
        self._channel.send(
            FramesDone(
                job_id=self._job.job_id,
                attempt=self._job.attempt,
                seconds_by_phase=self._clock.finish(),
                peak_gpu_gib=peak_gpu_gib(),
            )
        )

    def _generate(self, encoding: EncodingJob, resume: Checkpoint | None) -> None:
        frames: Iterator[Frame] = self._model.generate(
            self._job.request, resume=resume, on_step=self._on_step, on_phase=self._on_phase
        )
        for frame in frames:
            encoding.put(frame)
            # Between two frames there is no step to finish: a stop takes effect at once.
            if self._channel.stop_asked(self._job) is not None:
                raise GenerationStopped

    def _on_step(self, step: Step) -> None:
        self._last_step = self._job.steps_before + step.index
        self._channel.send(
            StepDone(
                job_id=self._job.job_id,
                attempt=self._job.attempt,
                index=self._job.steps_before + step.index,
                total=self._job.steps_before + step.total,
                seconds=step.seconds,
            )
        )
        why = self._channel.stop_asked(self._job)
        # The video of a training is made again from the last of its checkpoints: it is short, and has none of its own.
        saves = not self._job.steps_before
        if why is None:
            if saves:
                self._periodic.after(step)
            return
        if why is StopWhy.INTERRUPTED and saves:
            checkpoint, cost_s = timed_snapshot(step)
            saved = self._writer.write_now(self._job, checkpoint, cost_s)
            if saved is not None:
                self._channel.send(saved)
        raise GenerationStopped

    def _on_phase(self, phase: Phase) -> None:
        self._clock.begin(phase)
        self._channel.send(PhaseBegan(job_id=self._job.job_id, attempt=self._job.attempt, phase=phase))
        if phase == "encode" and self._channel.stop_asked(self._job) is not None:
            raise GenerationStopped

    def _load_resume(self) -> Checkpoint | None:
        if self._job.resume is None:
            return None
        try:
            return Checkpoint.load(self._job.resume)
        except CheckpointCorrupt as error:
            self._refuse(error.reason)
            return None

    def _refuse(self, reason: str) -> None:
        self._channel.send(CheckpointRefused(job_id=self._job.job_id, attempt=self._job.attempt, reason=reason))

    def _report_stop(self) -> None:
        self._channel.send(JobStopped(job_id=self._job.job_id, attempt=self._job.attempt, step=self._last_step))


class PhaseClock:
    """Seconds spent in each phase; phases may come back (several shots)."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._phase: str | None = None
        self._since_s = time.monotonic()

    def begin(self, phase: str) -> None:
        self._close()
        self._phase = phase

    def finish(self) -> dict[str, float]:
        self._close()
        self._phase = None
        return dict(self._seconds)

    def _close(self) -> None:
        now_s = time.monotonic()
        if self._phase is not None:
            self._seconds[self._phase] = self._seconds.get(self._phase, 0.0) + now_s - self._since_s
        self._since_s = now_s
