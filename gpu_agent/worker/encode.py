"""Encoding one video in a thread of its own, so that the model goes on to the next job while this one is compressed."""

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpu_agent.worker.channel import Channel
from gpu_agent.worker.extension import decoded
from gpu_agent.worker.failures import classify, describe
from gpu_agent.worker.protocol import EncoderWorks, FailureKind, JobFailed, RunJob, VideoEncoded
from jobs.s3_keys import asset_file

if TYPE_CHECKING:
    from models.interface import Frame


# Frames that wait for the encoder, as uint8: a whole clip at most sizes, so that the slot need not wait for the
# compression; a long video of many shots is never in memory as a whole.
WAITING_BYTES = 256 * 2**20
_LOOK_S = 0.2
TELL_EVERY_S = 10.0


class _Abandoned(Exception):
    """The generation ended without its last frame: nothing is to be encoded."""


class EncodingJob:
    """Takes frames as they come and writes video, thumbnail and spritesheet; reports the finished files."""

    def __init__(self, job: RunJob, channel: Channel) -> None:
        self.frames_taken = 0
        self._job = job
        self._channel = channel
        frame_bytes = 3 * job.request.width * job.request.height
        self._frames: queue.Queue[Frame | None] = queue.Queue(maxsize=max(2, WAITING_BYTES // frame_bytes))
        self._given_up = threading.Event()
        self._taking = True
        self._told_s = time.monotonic()
        self._ended_s = time.monotonic()
        threading.Thread(target=self._run, name=f"encode-{job.job_id}", daemon=True).start()

    def put(self, frame: "Frame") -> None:
        """Waits while the encoder is too far behind."""
        self.frames_taken += 1
        self._hand_over(frame)

    def end_of_frames(self) -> None:
        self._ended_s = time.monotonic()
        self._hand_over(None)

    def abandon(self) -> None:
        self._given_up.set()
        with contextlib.suppress(queue.Full):  # then there is a frame to wake the encoder
            self._frames.put_nowait(None)

    def _hand_over(self, frame: "Frame | None") -> None:
        while self._taking:  # an encoder that failed has said so, and takes no more
            try:
                self._frames.put(frame, timeout=_LOOK_S)
            except queue.Full:
                continue
            return

    def _told(self, frames: Iterator["Frame"]) -> Iterator["Frame"]:
        """The frames; that the encoder takes them is told now and then, for one that hangs does not."""
        for frame in frames:
            yield frame
            if time.monotonic() - self._told_s >= TELL_EVERY_S:
                self._told_s = time.monotonic()
                self._channel.send(EncoderWorks(job_id=self._job.job_id, attempt=self._job.attempt))

    def _whole(self) -> Iterator["Frame"]:
        """What the finished video shows: what came before, then what is generated."""
        generated = self._incoming()
        if self._job.before is not None:
            for frame in decoded(self._job.before):
                if self._given_up.is_set():
                    raise _Abandoned
                yield frame
            next(generated, None)  # the model's version of the frame just shown
        yield from generated

    def _incoming(self) -> Iterator["Frame"]:
        while (frame := self._frames.get()) is not None and not self._given_up.is_set():
            yield frame
        if self._given_up.is_set():
            raise _Abandoned

    def _run(self) -> None:
        try:
            self._channel.send(self._encode())
        except _Abandoned:
            return
        except Exception as error:
            kind, code = classify(error)
            self._channel.send(
                JobFailed(
                    job_id=self._job.job_id,
                    attempt=self._job.attempt,
                    kind=kind,
                    code=code,
                    message=f"encoding: {describe(error)}",
                    while_encoding=True,
                )
            )
            if kind is not FailureKind.MACHINE:
                raise
        finally:
            self._taking = False

    def _encode(self) -> VideoEncoded:
        from models.output import write_video

        folder = self._job.directory
        written = write_video(
            self._told(self._whole()),
            folder / asset_file("video", self._job.codec),
            fps=self._job.request.fps,
            num_frames=self._job.total_frames,
            codec=self._job.codec,
            upscale=self._job.upscale,
            interpolate=self._job.interpolate,
            thumbnail=folder / asset_file("thumbnail"),
            spritesheet=folder / asset_file("spritesheet"),
        )
        return VideoEncoded(
            job_id=self._job.job_id,
            attempt=self._job.attempt,
            video=written.path,
            thumbnail=folder / asset_file("thumbnail"),
            spritesheet=folder / asset_file("spritesheet"),
            width=written.width,
            height=written.height,
            num_frames=written.num_frames,
            fps=written.fps,
            bytes=written.bytes,
            seconds=written.seconds,
            encode_s=time.monotonic() - self._ended_s,
        )
