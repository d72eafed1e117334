"""A training in the worker: drive the trainer, report every step and sample, stop between two steps."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpu_agent.worker.channel import Channel
from gpu_agent.worker.protocol import (
    CheckpointRefused,
    JobStopped,
    LoraTrained,
    PhaseBegan,
    RunJob,
    StepDone,
    StopWhy,
    TrainingTold,
)
from gpu_agent.worker.run import PhaseClock
from gpu_agent.worker.snapshots import CheckpointWriter, PeriodicCheckpoints, timed_snapshot
from models.interface import (
    Checkpoint,
    CheckpointCorrupt,
    CheckpointMismatch,
    GenerationStopped,
    LoraRef,
    Phase,
)
from models.lora_training.request import LoraTrainingRequest, TrainingStep, Watchers

TELL_EVERY_S = 5.0  # how often the losses go out; every sample takes them along


class TrainingRun:
    """Trains one job's LoRA. Raises what the trainer raises, except for a stop that was asked for."""

    def __init__(
        self, job: RunJob, request: LoraTrainingRequest, trainer: Any, channel: Channel, writer: CheckpointWriter
    ) -> None:
        self._job = job
        self._request = request
        self._trainer = trainer
        self._channel = channel
        self._writer = writer
        self._periodic = PeriodicCheckpoints(job, writer)
        self._clock = PhaseClock()
        self._losses: list[float] = []
        self._last_step = 0
        self._told_s = time.monotonic()

    def run(self) -> RunJob | None:
        """Train; the job that is left to do: its video, with what was learned. None where it was stopped."""
        watch = Watchers(on_step=self._on_step, on_phase=self._on_phase, on_sample=self._on_sample)
        try:
            resume = self._load_resume()
            try:
                made = self._train(resume, watch)
            except CheckpointMismatch as error:
                if resume is None:
                    raise
                self._refuse(str(error))
                made = self._train(None, watch)
        except GenerationStopped:
            self._channel.send(JobStopped(job_id=self._job.job_id, attempt=self._job.attempt, step=self._last_step))
            return None
        self._losses = list(made.losses)
        self._tell(None)
        files = dict(made.files)
        seconds = self._clock.finish()
        self._channel.send(
            LoraTrained(
                job_id=self._job.job_id,
                attempt=self._job.attempt,
                files=files,
                exports={expert: _exported(path) for expert, path in files.items()},
                seconds_by_phase={"train": sum(seconds.values())},
            )
        )
        loras = tuple(
            LoraRef(path=path, scale=1.0, name=path.name, experts=_experts(expert, len(files)))
            for expert, path in files.items()
        )
        request = replace(self._job.request, loras=loras)
        return replace(self._job, request=request, resume=None, training=None, steps_before=self._request.steps)

    def _train(self, resume: Checkpoint | None, watch: Watchers) -> Any:
        self._losses = list(resume.state["losses"]) if resume is not None else []
        return self._trainer.train(self._request, directory=self._job.directory, resume=resume, watch=watch)

    def _on_step(self, step: TrainingStep) -> None:
        self._last_step = step.index
        self._losses.append(step.loss)
        self._channel.send(
            StepDone(
                job_id=self._job.job_id,
                attempt=self._job.attempt,
                index=step.index,
                total=step.total + self._job.request.num_inference_steps,
                seconds=step.seconds,
                phase="train",
            )
        )
        if time.monotonic() - self._told_s >= TELL_EVERY_S:
            self._tell(None)
        why = self._channel.stop_asked(self._job)
        if why is None:
            self._periodic.after(step)
            return
        if why is StopWhy.INTERRUPTED:
            checkpoint, cost_s = timed_snapshot(step)
            saved = self._writer.write_now(self._job, checkpoint, cost_s)
            if saved is not None:
                self._channel.send(saved)
        raise GenerationStopped

    def _on_phase(self, phase: Phase) -> None:
        self._clock.begin(phase)
        self._channel.send(PhaseBegan(job_id=self._job.job_id, attempt=self._job.attempt, phase=phase))

    def _on_sample(self, step: int, frames: Any) -> None:
        import PIL.Image

        path = self._job.directory / f"sample-{step:06d}.jpg"
        # The middle of the clip: a still is enough to see whether the likeness is there.
        PIL.Image.fromarray(frames[len(frames) // 2]).save(path, "JPEG", quality=90)
        self._tell(path)

    def _tell(self, sample: Path | None) -> None:
        self._told_s = time.monotonic()
        self._channel.send(
            TrainingTold(
                job_id=self._job.job_id,
                attempt=self._job.attempt,
                losses=json.dumps({"losses": [round(loss, 6) for loss in self._losses]}),
                sample=sample,
            )
        )

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


def _exported(path: Path) -> Path:
    from models.lora_training.adapter import export_for_comfyui

    target = path.with_suffix(".comfyui.safetensors")
    export_for_comfyui(path, target)
    return target


def _experts(expert: str, count: int) -> Any:
    return expert if count > 1 else "both"
