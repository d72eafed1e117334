"""The attempts of one slot: the one that its worker denoises, and those that it still encodes.

Used by the slot's pump thread alone. Whatever ends an attempt is handed to the context's `ending` pool, so that the
next job starts at once.
"""

import time
from collections.abc import Callable

from gpu_agent.budget import NoticeAction, act_on_notice, give_up_step_after_s
from gpu_agent.context import Context
from gpu_agent.held import HeldJob
from gpu_agent.inputs import Inputs, total_frames
from gpu_agent.lease import Lease
from gpu_agent.logs import about_job, logger
from gpu_agent.lookout import Prepared
from gpu_agent.loops import PASSING_ERRORS
from gpu_agent.metrics import count, seconds, share, size_bytes
from gpu_agent.running import Running
from gpu_agent.worker.protocol import (
    CheckpointRefused,
    CheckpointSaved,
    EncoderWorks,
    FailureKind,
    FramesDone,
    FromAgent,
    JobFailed,
    JobStopped,
    LoraTrained,
    PhaseBegan,
    RunJob,
    StepDone,
    StopJob,
    StopWhy,
    TrainingTold,
    VideoEncoded,
)
from gpu_agent.worker_process import BYTES_PER_GIB, WorkerDied
from jobs.admission import work_of
from jobs.job import Job
from models import catalog, placement
from models.placement import Plan, Refusal

FromJob = (
    PhaseBegan
    | StepDone
    | TrainingTold
    | LoraTrained
    | CheckpointSaved
    | CheckpointRefused
    | JobStopped
    | FramesDone
    | EncoderWorks
    | VideoEncoded
    | JobFailed
)
Send = Callable[[FromAgent], None]


class GiveUpWorker(Exception):
    """Waiting for the worker's step would cost more than the step: end the process now."""


class Unrunnable(Exception):
    """The job cannot run here: the caller learns `code` and why. `kind` says what becomes of it."""

    def __init__(self, code: str, message: str, kind: FailureKind = FailureKind.REQUEST) -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind


class Workbench:
    """Starts, follows and ends attempts. `send` may raise WorkerDied."""

    def __init__(self, context: Context, send: Send) -> None:
        self.running: Running | None = None
        self.encoding: dict[tuple[str, int], Running] = {}
        self._context = context
        self._send = send
        self.planned_host_gib = 0.0  # the most that a plan has a process of this worker keep in host memory
        self._last_frames_s: float | None = None
        self._finish_s: dict[str, float] = {}  # seconds from the last step to the file, by model, of the last job

    @property
    def empty(self) -> bool:
        return self.running is None and not self.encoding

    def start(self, prepared: Prepared, job: Job) -> None:
        """The job was claimed: from here on every way out ends the attempt. Raises WorkerDied."""
        running = self._take_up(prepared, job)
        held = running.held
        with about_job(held.job):
            seconds("QueueWait", max(0.0, job.attempts[-1].started_at - job.queued_at), Model=job.model)
            try:
                self._begin(held, prepared)
            except Unrunnable as refusal:
                self._end_failed(running, _failure(held, refusal))
            except (WorkerDied, *PASSING_ERRORS) as error:
                # It never began: whoever is to blame, the job is not.
                logger.warning("could not start", extra={"error": repr(error)})
                self._interrupt(running, f"could not start: {error}", flush_s=0.0)
                if isinstance(error, WorkerDied):
                    raise
            else:
                self.running = running

    def handle(self, message: FromJob) -> None:
        """A message of the worker about one attempt; those about attempts that have ended are passed over."""
        key = (message.job_id, message.attempt)
        found = self.running if self.running and self.running.held.key == key else self.encoding.get(key)
        if found is None:
            return
        with about_job(found.held.job):
            self._about(found, message)

    def note_load(self, load_s: float) -> None:
        """The worker had to fetch and open its model for the job under way."""
        if self.running is not None:
            self.running.held.seconds_by_phase["load"] = load_s

    def check(self) -> None:
        """Stop what is to be stopped. Raises GiveUpWorker, WorkerDied."""
        self._check_encoders()
        running = self.running
        if running is None:
            self._check_encoding()
            return
        if running.give_up_at_s is not None and time.monotonic() >= running.give_up_at_s:
            raise GiveUpWorker("the step did not end in time")
        if running.stop is None and (running.held.lost.is_set() or running.held.cancel.is_set()):
            self._stop(running, StopWhy.CANCELLED)
        if self._context.board.posted and not running.noticed:
            self._act_on_notice(running)
        elif running.give_up_at_s is not None:
            # A Spot notice may come while a job is on its way elsewhere: then there is less time than was thought.
            running.give_up_at_s = min(running.give_up_at_s, self._latest_s())

    def abandon(self, reason: str) -> None:
        """The worker was ended on purpose: capacity is lost, nobody is to blame."""
        for running in self._take_all():
            self._interrupt(running, reason, flush_s=self._flush_s())

    def crashed(self, reason: str) -> None:
        """The worker died of itself: the job that it denoised is to blame, or else the one that it encoded."""
        taken = self._take_all()
        for culprit in taken[:1]:
            self._context.ending.submit(self._context.outcomes.crashed, culprit.held, culprit.lease, reason)
        for other in taken[1:]:
            self._interrupt(other, f"the worker died: {reason}", flush_s=0.0)

    def _take_up(self, prepared: Prepared, job: Job) -> Running:
        settings = self._context.settings
        directory = prepared.inputs.directory if prepared.inputs else settings.scratch_dir / job.id
        held = HeldJob(job, message=prepared.reservation.message, directory=directory)
        lease = Lease(
            held,
            store=self._context.store,
            queues=self._context.queues,
            lease_s=settings.lease_s,
            heartbeat_s=settings.heartbeat_s,
            progress_s=settings.progress_s,
        )
        self._context.hands.take(held)
        lease.start()
        return Running(held=held, lease=lease)

    def _begin(self, held: HeldJob, prepared: Prepared) -> None:
        if prepared.defect is not None:
            raise Unrunnable("inputs_unreadable", prepared.defect, FailureKind.WORKER)
        if prepared.inputs is None:
            raise Unrunnable("input_missing", prepared.missing or "an input is missing")
        plan = None
        if self._context.slot is not None:
            request = held.job.request
            tier = request.tier or self._context.settings.tier
            plan = placement.plan(catalog.get(held.job.model), work_of(request), self._context.slot, tier=tier)
        if isinstance(plan, Refusal):
            raise Unrunnable("does_not_fit", plan.message)
        self._order(held, prepared.inputs, plan)
        if plan is not None:
            self.planned_host_gib = max(self.planned_host_gib, plan.host_gib / plan.layout.gpus)
        logger.info("job starts", extra={"model": held.job.model, "resume_step": prepared.inputs.resume_step})

    def _order(self, held: HeldJob, inputs: Inputs, plan: Plan | None) -> None:
        if held.job.checkpoint_step and not inputs.resume_step:
            logger.warning("no checkpoint to resume from", extra={"step": held.job.checkpoint_step})
            held.advance(step=0, checkpoint_step=0)
        self._send(
            RunJob(
                job_id=held.id,
                attempt=held.attempt,
                request=inputs.request,
                directory=inputs.directory,
                resume=inputs.resume,
                cadence=self._context.settings.cadence(),
                total_frames=total_frames(held.job),
                plan=plan,
                codec=held.job.request.output.codec,
                upscale=held.job.request.output.upscale,
                interpolate=held.job.request.output.interpolate,
                before=inputs.before,
                training=inputs.training,
            )
        )

    def _about(self, running: Running, message: FromJob) -> None:
        held = running.held
        if isinstance(message, PhaseBegan):
            running.note_phase(message.phase)
            held.advance(phase=message.phase)
        elif isinstance(message, StepDone):
            self._note_gap(running, message)
            running.note_step(message)
            held.advance(step=message.index, total_steps=message.total, phase=message.phase)
        elif isinstance(message, TrainingTold):
            self._context.outcomes.told(held, message)
        elif isinstance(message, LoraTrained):
            held.trained = message
            held.seconds_by_phase.update(message.seconds_by_phase)
        elif isinstance(message, CheckpointSaved):
            self._on_checkpoint(running, message)
        elif isinstance(message, CheckpointRefused):
            self._on_refused(running, message)
        elif isinstance(message, JobStopped):
            self.running = None
            self._end_stopped(running)
        elif isinstance(message, FramesDone):
            self._on_frames(running, message)
        elif isinstance(message, EncoderWorks):
            if running.encoder_heard_s is not None:
                running.encoder_heard_s = time.monotonic()
        elif isinstance(message, VideoEncoded):
            if self.running is running:  # the encoder's thread was faster than the word that no frames are left
                self.running = None
            self.encoding.pop(held.key, None)
            held.seconds_by_phase["encode_video"] = message.encode_s
            self._finish_s[held.job.model] = held.seconds_by_phase.get("decode", 0.0) + message.encode_s
            self._context.ending.submit(self._context.outcomes.completed, held, running.lease, message)
        else:
            self._on_failed(running, message)

    def _note_gap(self, running: Running, step: StepDone) -> None:
        """How long the device waited between the last frame of one job and the first step of the next."""
        if running.first_step_seen or self._last_frames_s is None:
            return
        gap_s = time.monotonic() - step.seconds - self._last_frames_s
        seconds("GapBetweenJobs", gap_s)
        logger.info("first step", extra={"gap_s": round(gap_s, 4)})

    def _on_checkpoint(self, running: Running, saved: CheckpointSaved) -> None:
        seconds("CheckpointSeconds", saved.cost_s + saved.save_s)
        if running.saved is not None and saved.step <= running.saved.step:
            return  # the periodic ones are written in a thread of their own: one may come after a stop's newer one
        if running.saved is not None:
            running.saved.path.unlink(missing_ok=True)  # while S3 is away they would pile up
        running.saved = saved
        # The one after the last step is for a notice during decoding; without one it would be deleted unread.
        if running.steps_left or running.stop is StopWhy.INTERRUPTED:
            self._context.checkpoints.upload_later(running.held, saved)

    def _on_refused(self, running: Running, refused: CheckpointRefused) -> None:
        step = running.held.job.checkpoint_step
        logger.warning("checkpoint discarded, starting anew", extra={"step": step, "reason": refused.reason})
        count("CheckpointRefused")
        running.held.advance(step=0, checkpoint_step=0)
        self._context.checkpoints.discard_later(running.held.id, step)

    def _on_frames(self, running: Running, done: FramesDone) -> None:
        self.running = None
        self.encoding[running.held.key] = running
        running.encoder_heard_s = time.monotonic()
        running.held.seconds_by_phase.update(done.seconds_by_phase)
        if running.step_s is not None:
            seconds("StepSeconds", running.step_s, Model=running.held.job.model)
        if done.peak_gpu_gib:
            size_bytes("PeakGpuMemory", done.peak_gpu_gib * BYTES_PER_GIB, Model=running.held.job.model)
        busy_s = sum(done.seconds_by_phase.values())
        now_s = time.monotonic()
        if self._last_frames_s is not None and now_s > self._last_frames_s:
            share("GpuBusy", min(1.0, busy_s / (now_s - self._last_frames_s)))
        self._last_frames_s = now_s
        logger.info("frames done", extra={"seconds_by_phase": done.seconds_by_phase, "peak_gib": done.peak_gpu_gib})

    def _on_failed(self, running: Running, failure: JobFailed) -> None:
        logger.error("job failed in the worker", extra={"kind": failure.kind, "code": failure.code})
        count("WorkerFailure", Reason=failure.code)
        still_generating = self.running is running
        if still_generating:
            self.running = None
        self.encoding.pop(running.held.key, None)
        if running.held.lost.is_set() or running.held.cancel.is_set():
            self._end_stopped(running)
        else:
            self._end_failed(running, failure)
        if still_generating and failure.while_encoding:
            # The generation goes on for nothing; the worker takes no other job before it has ended.
            raise GiveUpWorker("the encoder failed while the model was still at work")

    def _end_failed(self, running: Running, failure: JobFailed) -> None:
        outcomes, held, lease = self._context.outcomes, running.held, running.lease
        if failure.kind is FailureKind.REQUEST:
            self._context.ending.submit(outcomes.failed, held, lease, failure)
        elif failure.kind is FailureKind.MACHINE:
            flush_s = self._flush_s()
            self._context.ending.submit(
                outcomes.machine_failed, held, lease, failure.message, saved=running.saved, flush_s=flush_s
            )
        elif failure.kind is FailureKind.GPU:
            self._interrupt(running, failure.message, flush_s=self._flush_s())
        else:
            self._context.ending.submit(outcomes.crashed, held, lease, failure.message)

    def _stop(self, running: Running, why: StopWhy) -> None:
        running.stop = why
        self._send(StopJob(job_id=running.held.id, attempt=running.held.attempt, why=why))

    def _act_on_notice(self, running: Running) -> None:
        running.noticed = True
        if running.stop is not None:  # it ends anyway; what is encoded beside it must be given back in time
            running.give_up_at_s = self._latest_s()
            return
        remaining_s = self._context.board.remaining_s()
        margin_s = self._context.settings.notice_margin_s
        work = running.under_way(
            upload_bytes_per_s=self._context.checkpoints.bytes_per_s,
            finish_s=self._finish_s.get(running.held.job.model),
        )
        action = act_on_notice(work, remaining_s=remaining_s, margin_s=margin_s)
        with about_job(running.held.job):
            logger.warning("acting on notice", extra={"action": action, "remaining_s": remaining_s})
        if action is NoticeAction.KEEP_LAST_CHECKPOINT:
            raise GiveUpWorker("no step can be finished and saved in time")
        give_up_s = give_up_step_after_s(work, remaining_s=remaining_s, margin_s=margin_s)
        running.give_up_at_s = time.monotonic() + give_up_s
        if action is NoticeAction.FINISH_STEP:
            self._stop(running, StopWhy.INTERRUPTED)

    def _latest_s(self) -> float:
        """Until when, in monotonic time, a notice leaves time to wait."""
        left_s = self._context.board.remaining_s() - self._context.settings.notice_margin_s
        return time.monotonic() + max(0.0, left_s)

    def _check_encoders(self) -> None:
        """An encoder's thread cannot be stopped: one that hangs ends the worker, as a step does that hangs, and its job
        is to blame."""
        for running in list(self.encoding.values()):
            if running.encoder_silent_s() <= self._context.settings.hang_limit_s:
                continue
            del self.encoding[running.held.key]
            with about_job(running.held.job):
                logger.error("encoder hangs", extra={"silent_s": running.encoder_silent_s()})
            count("WorkerHung")
            reason = "the video's encoder did not end"
            self._context.ending.submit(self._context.outcomes.crashed, running.held, running.lease, reason)
            raise GiveUpWorker("an encoder hangs")

    def _check_encoding(self) -> None:
        board = self._context.board
        if self.encoding and board.posted and board.remaining_s() < self._context.settings.notice_margin_s:
            raise GiveUpWorker("encoding did not end in time")

    def _end_stopped(self, running: Running) -> None:
        outcomes, held, lease = self._context.outcomes, running.held, running.lease
        if held.lost.is_set():
            self._context.ending.submit(outcomes.dropped, held, lease)
        elif held.cancel.is_set():
            self._context.ending.submit(outcomes.cancelled, held, lease)
        else:
            self._interrupt(running, self._context.board.reason or "stopped", flush_s=self._flush_s())

    def _interrupt(self, running: Running, reason: str, *, flush_s: float) -> None:
        outcomes, held = self._context.outcomes, running.held
        saved = running.saved if flush_s > 0 else None
        self._context.ending.submit(outcomes.interrupted, held, running.lease, reason, saved=saved, flush_s=flush_s)

    def _flush_s(self) -> float:
        """Time for a last upload: what the notice leaves, or one lease."""
        margin_s = self._context.settings.notice_margin_s
        return max(0.5, min(self._context.board.remaining_s() - margin_s / 2, self._context.settings.lease_s))

    def _take_all(self) -> list[Running]:
        taken = ([self.running] if self.running else []) + list(self.encoding.values())
        self.running = None
        self.encoding = {}
        return taken


def _failure(held: HeldJob, refusal: Unrunnable) -> JobFailed:
    return JobFailed(job_id=held.id, attempt=held.attempt, kind=refusal.kind, code=refusal.code, message=str(refusal))
