"""How an attempt ends: one conditional write, then the message, then the scratch folder. Each end is one function.

All run outside the slot's thread, so that the GPU goes on with the next job. A write that finds the fence lost ends
the attempt without a trace: it was another's job by then.
"""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from gpu_agent.checkpoints import TAKEN, CheckpointStore
from gpu_agent.held import Hands, HeldJob
from gpu_agent.lease import Lease
from gpu_agent.logs import about_job, logger
from gpu_agent.loops import PASSING_ERRORS
from gpu_agent.metrics import count, seconds, size_bytes
from gpu_agent.retrying import Hopeless, insist
from gpu_agent.source import WorkSource
from gpu_agent.timing import Stopwatch
from gpu_agent.worker.protocol import CheckpointSaved, JobFailed, LoraTrained, TrainingTold, VideoEncoded
from jobs import s3_keys
from jobs.errors import FenceLost, JobNotFound
from jobs.job import Job, JobError, Outputs
from jobs.states import State, is_terminal
from jobs.store import JobStore
from jobs.training_progress import LOSSES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RETRIES_WITHOUT_LEASE = 5
SECONDS_PER_HOUR = 3600.0

Answer = TypeVar("Answer")


class Outcomes:
    """Ends attempts. `slot_usd_per_hour` is what the slot costs, None where nobody knows."""

    def __init__(
        self,
        *,
        store: JobStore,
        source: WorkSource,
        checkpoints: CheckpointStore,
        hands: Hands,
        s3: "S3Client",
        bucket: str,
        slot_usd_per_hour: float | None,
    ) -> None:
        self._store = store
        self._source = source
        self._checkpoints = checkpoints
        self._hands = hands
        self._s3 = s3
        self._bucket = bucket
        self._slot_usd_per_hour = slot_usd_per_hour
        self._telling = ThreadPoolExecutor(max_workers=1, thread_name_prefix="training-news")

    def completed(self, held: HeldJob, lease: Lease, encoded: VideoEncoded) -> None:
        """Upload the files under this attempt's own keys, then complete the job by one write."""
        watch = Stopwatch()
        try:
            with about_job(held.job):
                outputs = self._upload(held, encoded)
        except Hopeless as error:
            self.crashed(held, lease, f"uploading: {error}")
            return
        if outputs is None:
            self.dropped(held, lease)
            return
        held.seconds_by_phase["upload"] = watch.seconds()
        size_bytes("VideoBytes", encoded.bytes, Model=held.job.model)
        self._end(held, lease, lambda: self._complete(held, outputs))

    def failed(self, held: HeldJob, lease: Lease, failure: JobFailed) -> None:
        """The request itself is at fault."""
        error = JobError(code=failure.code, message=failure.message)
        count("JobFailed", Reason=failure.code)
        self._end(held, lease, lambda: self._store.fail(held.id, held.attempt, error))

    def crashed(self, held: HeldJob, lease: Lease, reason: str) -> None:
        """The worker died of it, or gave it up: it counts, and the last time is the end of the job."""
        count("JobCrashed")
        self._end(held, lease, partial(self._record_crash, held, lease, reason))

    def interrupted(
        self, held: HeldJob, lease: Lease, reason: str, *, saved: CheckpointSaved | None, flush_s: float
    ) -> None:
        """Capacity goes away: take up to `flush_s` to upload the newest checkpoint, then queue the job again."""
        self._end_saved(held, lease, partial(self._interrupt, held, lease, reason), saved=saved, flush_s=flush_s)

    def machine_failed(
        self, held: HeldJob, lease: Lease, reason: str, *, saved: CheckpointSaved | None, flush_s: float
    ) -> None:
        """The disk, or the weights that are to be had here: as `interrupted`, but not for ever."""
        write = partial(self._record_machine_failure, held, lease, reason)
        self._end_saved(held, lease, write, saved=saved, flush_s=flush_s)

    def _end_saved(
        self, held: HeldJob, lease: Lease, write: Callable[[], Job], *, saved: CheckpointSaved | None, flush_s: float
    ) -> None:
        if saved is not None:
            self._checkpoints.flush(held, saved, flush_s)
        count("JobInterrupted")
        self._end(held, lease, write)

    def _record_crash(self, held: HeldJob, lease: Lease, reason: str) -> Job:
        lease.renew()
        return self._store.record_crash(held.id, held.attempt, reason=reason)

    def _interrupt(self, held: HeldJob, lease: Lease, reason: str) -> Job:
        # The record keeps the last step that a heartbeat told, and the attempt list shows steps lost by it.
        lease.renew()
        return self._store.interrupt(held.id, held.attempt, checkpoint_step=held.checkpoint_step, reason=reason)

    def _record_machine_failure(self, held: HeldJob, lease: Lease, reason: str) -> Job:
        lease.renew()
        return self._store.record_machine_failure(
            held.id, held.attempt, checkpoint_step=held.checkpoint_step, reason=reason
        )

    def cancelled(self, held: HeldJob, lease: Lease) -> None:
        """The caller wants it no more."""
        self._end(held, lease, lambda: self._store.cancelled(held.id, held.attempt))

    def dropped(self, held: HeldJob, lease: Lease) -> None:
        """The attempt is no longer ours: write nothing, settle the message by what the job has become."""
        count("AttemptLost")
        self._end(held, lease, None)

    def _complete(self, held: HeldJob, outputs: Outputs) -> Job:
        busy_s = sum(held.seconds_by_phase.values())
        job = self._store.complete(
            held.id,
            held.attempt,
            outputs=outputs,
            seconds_by_phase={phase: round(spent_s, 3) for phase, spent_s in held.seconds_by_phase.items()},
            cost_usd=None if self._slot_usd_per_hour is None else busy_s * self._slot_usd_per_hour / SECONDS_PER_HOUR,
            total_steps=held.progress.total_steps,
        )
        seconds("JobSeconds", busy_s, Model=job.model)
        count("JobCompleted", Model=job.model)
        return job

    def _upload(self, held: HeldJob, encoded: VideoEncoded) -> Outputs | None:
        """The files in S3, None if the attempt was lost on the way."""
        held.advance(phase="upload")
        if held.trained is not None and not self._insist(held, partial(self._put_loras, held, held.trained)):
            return None
        files: dict[s3_keys.Asset, Path] = {
            "video": encoded.video,
            "thumbnail": encoded.thumbnail,
            "spritesheet": encoded.spritesheet,
        }
        for variant, path in files.items():
            if not self._insist(held, partial(self._put, held, variant, path)):
                return None
        return Outputs(
            bucket=self._bucket,
            video=_key(held, "video"),
            thumbnail=_key(held, "thumbnail"),
            spritesheet=_key(held, "spritesheet"),
            width=encoded.width,
            height=encoded.height,
            num_frames=encoded.num_frames,
            fps=encoded.fps,
            bytes=encoded.bytes,
            seconds=encoded.seconds,
        )

    def told(self, held: HeldJob, told: TrainingTold) -> None:
        """Losses and a sample of a training under way, in the background: news, not a promise."""
        self._telling.submit(self._tell, held, told)

    def _tell(self, held: HeldJob, told: TrainingTold) -> None:
        if held.lost.is_set():
            return
        try:
            key = s3_keys.training_file(held.id, held.attempt, LOSSES)
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=told.losses.encode(), ContentType="application/json")
            if told.sample is not None:
                key = s3_keys.training_file(held.id, held.attempt, told.sample.name)
                self._s3.upload_file(str(told.sample), self._bucket, key, ExtraArgs={"ContentType": "image/jpeg"})
        except (*PASSING_ERRORS, OSError) as error:
            logger.warning("training not told of", extra={"job_id": held.id, "error": repr(error)})

    def _put_loras(self, held: HeldJob, trained: LoraTrained) -> bool:
        """The files under the version's own name. Whoever comes first wins: both attempts learned the same, and a
        video may be made with it from then on."""
        plan = held.job.training
        assert plan is not None  # only a training job trains
        for layout, files in (("diffusers", trained.files), ("comfyui", trained.exports)):
            for expert, path in files.items():
                key = s3_keys.character_lora(plan.lora, expert, layout)  # type: ignore[arg-type]
                try:
                    self._s3.put_object(Bucket=self._bucket, Key=key, Body=path.read_bytes(), IfNoneMatch="*")
                except ClientError as error:
                    if error.response["Error"]["Code"] not in TAKEN:
                        raise
        return True

    def _forget_loras(self, held: HeldJob) -> None:
        """A character that was deleted while its LoRA was uploaded leaves none behind."""
        plan, trained = held.job.training, held.trained
        if plan is None or trained is None:
            return
        try:
            self._store.get(held.id)
        except JobNotFound:
            for layout, files in (("diffusers", trained.files), ("comfyui", trained.exports)):
                for expert in files:
                    key = s3_keys.character_lora(plan.lora, expert, layout)  # type: ignore[arg-type]
                    self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _put(self, held: HeldJob, variant: s3_keys.Asset, path: Path) -> bool:
        key = _key(held, variant)
        content_type = {"ContentType": s3_keys.CONTENT_TYPES[Path(key).suffix]}
        self._s3.upload_file(str(path), self._bucket, key, ExtraArgs=content_type)
        logger.info("uploaded", extra={"variant": variant, "bytes": path.stat().st_size})
        return True

    def _end(self, held: HeldJob, lease: Lease, write: Callable[[], Job] | None) -> None:
        """Write the end, stop the heartbeat, settle the message, clear the disk; the job leaves the hands last."""
        with about_job(held.job):
            self._end_logged(held, lease, write)

    def _end_logged(self, held: HeldJob, lease: Lease, write: Callable[[], Job] | None) -> None:
        try:
            job = self._written(held, lease, write) if write else None
            lease.release()
            self._tidy(partial(self._settle, held, job))
            if job is None:
                self._tidy(partial(self._forget_loras, held))
            elif is_terminal(job.status):
                logger.info("job ended", extra={"status": job.status, "seconds_by_phase": held.seconds_by_phase})
                self._tidy(partial(self._checkpoints.discard_all, held.id))
            else:
                why = {"outcome": job.attempts[-1].outcome, "reason": job.attempts[-1].reason}
                logger.warning("job queued again", extra=why | {"checkpoint_step": job.checkpoint_step})
        except FenceLost:
            lease.release()
            logger.warning("the end of a lost attempt was refused")
            self._tidy(partial(self._settle, held, None))
            self._tidy(partial(self._forget_loras, held))
        finally:
            lease.release()
            shutil.rmtree(held.directory, ignore_errors=True)
            self._hands.done(held)

    def _written(self, held: HeldJob, lease: Lease, write: Callable[[], Job]) -> Job | None:
        """The job after `write`, None when the attempt was lost. An end that can never be written is a crash."""
        try:
            return self._insist(held, write)
        except Hopeless as error:
            logger.exception("the end cannot be written")
            return self._insist(held, partial(self._record_crash, held, lease, str(error)))

    def _settle(self, held: HeldJob, job: Job | None) -> None:
        if job is not None and job.status is State.QUEUED:
            self._source.send_back(job, held.message)
        elif job is not None and job.status is State.FAILED and job.attempts[-1].outcome == "crashed":
            self._source.bury(job, held.message, reason=job.error.message if job.error else "worker crashed")
        else:
            self._source.settle(held.message)

    def _insist(self, held: HeldJob, action: Callable[[], Answer]) -> Answer | None:
        """Try again while the attempt is ours; None once it is lost."""
        return insist(action, given_up=lambda _turn: held.lost.is_set())

    def _tidy(self, action: Callable[[], None]) -> None:
        """What follows the end: tried a few times, then left to the lease's end, the sweeper and the bucket's rules."""
        try:
            insist(action, given_up=lambda turn: turn >= RETRIES_WITHOUT_LEASE)
        except Hopeless:
            logger.exception("not tidied up")


def _key(held: HeldJob, variant: s3_keys.Asset) -> str:
    return s3_keys.asset(held.id, held.attempt, variant, held.job.request.output.codec)
