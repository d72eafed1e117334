"""Checkpoints on the way: the denoising thread pays for the copy off the device, another one writes the file."""

import queue
import threading
import time
from dataclasses import dataclass

from gpu_agent.cadence import checkpoint_due
from gpu_agent.worker.channel import Channel
from gpu_agent.worker.failures import describe, is_disk_error, is_missing_file
from gpu_agent.worker.protocol import CheckpointSaved, RunJob
from models.interface import Checkpoint, Step
from models.lora_training.request import TrainingStep


@dataclass(frozen=True)
class _Order:
    job: RunJob
    checkpoint: Checkpoint
    cost_s: float


class CheckpointWriter:
    """Writes the checkpoints of all jobs of the process, one by one. A full disk costs the checkpoint, not the job."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="checkpoint-writer", daemon=True).start()

    def write_later(self, job: RunJob, checkpoint: Checkpoint, cost_s: float) -> None:
        self._orders.put(_Order(job, checkpoint, cost_s))

    def write_now(self, job: RunJob, checkpoint: Checkpoint, cost_s: float) -> CheckpointSaved | None:
        """The saved file, None where the disk did not take it or the job's folder has gone with the job."""
        began_s = time.monotonic()
        path = job.directory / f"step-{checkpoint.step:06d}.safetensors"
        try:
            checkpoint.save(path)
        except Exception as error:
            if not (is_disk_error(error) or is_missing_file(error)):
                raise
            _log(error)
            return None
        return CheckpointSaved(
            job_id=job.job_id,
            attempt=job.attempt,
            step=checkpoint.step,
            path=path,
            cost_s=cost_s,
            save_s=time.monotonic() - began_s,
        )

    def _run(self) -> None:
        while True:
            order = self._orders.get()
            try:
                saved = self.write_now(order.job, order.checkpoint, order.cost_s)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is logged
                # It costs this checkpoint. Without this thread all later jobs would have none, and nobody would know.
                _log(error)
                continue
            if saved is not None:
                self._channel.send(saved)


def _log(error: Exception) -> None:
    print(f"checkpoint not written: {describe(error)}", flush=True)


class PeriodicCheckpoints:
    """Takes the periodic checkpoints of one job, as its cadence says."""

    def __init__(self, job: RunJob, writer: CheckpointWriter) -> None:
        self._job = job
        self._writer = writer
        self._last_s = time.monotonic()
        self._cost_s = 0.0

    def after(self, step: Step | TrainingStep) -> None:
        since_s = time.monotonic() - self._last_s
        if not checkpoint_due(
            self._job.cadence, since_last_s=since_s, last_cost_s=self._cost_s, step=step.index, total_steps=step.total
        ):
            return
        checkpoint, self._cost_s = timed_snapshot(step)
        self._last_s = time.monotonic()
        self._writer.write_later(self._job, checkpoint, self._cost_s)


def timed_snapshot(step: Step | TrainingStep) -> tuple[Checkpoint, float]:
    """The checkpoint and the seconds that taking it cost."""
    began_s = time.monotonic()
    checkpoint = step.snapshot()
    return checkpoint, time.monotonic() - began_s
