"""Checkpoints between the local disk and S3: uploaded in the background, fetched for a resume, discarded when bad."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from gpu_agent.held import HeldJob
from gpu_agent.logs import about_job, logger
from gpu_agent.loops import PASSING_ERRORS
from gpu_agent.metrics import count, seconds
from gpu_agent.timing import Stopwatch
from gpu_agent.worker.protocol import CheckpointSaved
from jobs import s3_keys

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FLUSH_PAUSE_S = 0.1
_GONE = frozenset({"404", "NoSuchKey"})
TAKEN = frozenset({"412", "PreconditionFailed"})
_ATTEMPT = "attempt"  # the object's metadata: which attempt has written it


class CheckpointStore:
    """The `checkpoints/` part of the media bucket, for one agent."""

    def __init__(self, s3: "S3Client", bucket: str, *, bytes_per_s: float) -> None:
        self._s3 = s3
        self._bucket = bucket
        self.bytes_per_s = bytes_per_s
        self._lock = threading.Lock()
        self._newest: dict[tuple[str, int], CheckpointSaved] = {}
        self._uploads: dict[tuple[str, int], Future[None]] = {}
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="checkpoint-upload")

    def upload_later(self, held: HeldJob, saved: CheckpointSaved) -> None:
        """Upload in the background; of several that wait, only the newest goes."""
        if saved.step <= held.checkpoint_step:
            return
        with self._lock:
            self._newest[held.key] = saved
            if held.key not in self._uploads:
                # One at a time for a job: a slow older one must not end after a newer one.
                self._uploads[held.key] = self._pool.submit(self._upload_newest, held)

    def flush(self, held: HeldJob, saved: CheckpointSaved, timeout_s: float) -> None:
        """Upload `saved`, trying again, no longer than `timeout_s`; `held.checkpoint_step` tells what came of it."""
        watch = Stopwatch()
        while held.checkpoint_step < saved.step and saved.path.exists() and not held.lost.is_set():
            left_s = timeout_s - watch.seconds()
            if left_s <= 0:
                logger.warning("checkpoint not uploaded in time", extra={"step": saved.step, "timeout_s": timeout_s})
                return
            self.upload_later(held, saved)
            with self._lock:
                upload = self._uploads.get(held.key)
            if upload is not None:
                wait([upload], left_s)
            time.sleep(FLUSH_PAUSE_S)

    def fetch(self, job_id: str, step: int, directory: Path) -> Path | None:
        """Download the checkpoint of `step`; None where S3 has it no more. Raises what S3 raises otherwise."""
        path = directory / f"resume-{step:06d}.safetensors"
        try:
            self._s3.download_file(self._bucket, s3_keys.checkpoint(job_id, step), str(path))
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return None
            raise
        return path

    def discard(self, job_id: str, step: int) -> None:
        """Delete one bad checkpoint."""
        self._s3.delete_object(Bucket=self._bucket, Key=s3_keys.checkpoint(job_id, step))

    def discard_later(self, job_id: str, step: int) -> None:
        """`discard` in the background: a bad checkpoint that stays is refused again, no worse."""
        self._pool.submit(self._discard_quietly, job_id, step)

    def _discard_quietly(self, job_id: str, step: int) -> None:
        try:
            self.discard(job_id, step)
        except PASSING_ERRORS as error:
            logger.warning("checkpoint not deleted", extra={"job_id": job_id, "step": step, "error": repr(error)})

    def discard_all(self, job_id: str) -> None:
        """Delete what a finished job no longer needs."""
        listed = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=s3_keys.checkpoint_prefix(job_id))
        for item in listed.get("Contents", []):
            self._s3.delete_object(Bucket=self._bucket, Key=item["Key"])

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _upload_newest(self, held: HeldJob) -> None:
        with about_job(held.job):
            while True:
                with self._lock:
                    saved = self._newest.pop(held.key, None)
                    if saved is None:
                        del self._uploads[held.key]
                        return
                if saved.step <= held.checkpoint_step:
                    continue  # asked for twice, by its cadence and by a flush
                try:
                    self._upload(held, saved)
                except PASSING_ERRORS as error:
                    # The next periodic one comes soon; a stop waits in flush() and then counts on an older one.
                    logger.warning("checkpoint upload failed", extra={"step": saved.step, "error": repr(error)})
                    count("CheckpointUploadFailed")

    def _upload(self, held: HeldJob, saved: CheckpointSaved) -> None:
        if held.lost.is_set():
            return
        watch = Stopwatch()
        try:
            body = saved.path.read_bytes()
        except FileNotFoundError:
            return  # a newer one has taken its place
        self._put(held, saved.step, body)
        took_s = watch.seconds()
        self.bytes_per_s = 0.5 * self.bytes_per_s + 0.5 * len(body) / max(took_s, 1e-3)
        held.advance(checkpoint_step=saved.step)
        saved.path.unlink(missing_ok=True)
        seconds("CheckpointUpload", took_s)
        logger.info("checkpoint uploaded", extra={"step": saved.step, "bytes": len(body), "upload_s": took_s})

    def _put(self, held: HeldJob, step: int, body: bytes) -> None:
        """Of the attempts that reach a step, the newest one's file stands, whichever writes last.

        An older attempt's may be of another kind of GPU, which the next attempt would refuse; and one that was given up
        must not overwrite its successor's. Raises what S3 raises, also where another attempt writes meanwhile."""
        key = s3_keys.checkpoint(held.id, step)
        put = partial(
            self._s3.put_object, Bucket=self._bucket, Key=key, Body=body, Metadata={_ATTEMPT: str(held.attempt)}
        )
        try:
            put(IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] not in TAKEN:
                raise
        else:
            return
        there = self._s3.head_object(Bucket=self._bucket, Key=key)
        if int(there["Metadata"].get(_ATTEMPT, "0")) < held.attempt:
            put(IfMatch=there["ETag"])
