"""One slot: its worker process, which a supervisor starts, restarts, recycles or gives up.

Everything about the worker happens in one thread, the pump: messages, timers, starting, stopping.
"""

import queue
import time

from gpu_agent.choice import SlotView
from gpu_agent.context import Context
from gpu_agent.gpu_health import GpuVerdict
from gpu_agent.logs import logger
from gpu_agent.lookout import Lookout, Prepared
from gpu_agent.loops import PASSING_ERRORS
from gpu_agent.metrics import count, seconds
from gpu_agent.supervision import SlotAction, SlotHealth, WorkerEvent, observe
from gpu_agent.workbench import GiveUpWorker, Workbench
from gpu_agent.worker.protocol import (
    FailureKind,
    FromAgent,
    FromWorker,
    JobFailed,
    ModelLoaded,
    PrepareJob,
    RunJob,
    SlotSpec,
    VideoEncoded,
    WorkerReady,
)
from gpu_agent.worker_process import EXIT_S, WorkerDied, WorkerProcess
from jobs.errors import JobNotFound, NotClaimable, WriteContention
from jobs.fleet import Slot as SlotReport
from jobs.job import Job

WAIT_RUNNING_S = 0.2
WAIT_IDLE_S = 0.03
MACHINE_PAUSE_S = 5.0  # after a full disk: the next job would meet it, too


class Slot:
    """Runs jobs one after the other on the GPUs of `spec`."""

    def __init__(self, spec: SlotSpec, context: Context) -> None:
        self.spec = spec
        self.lookout = Lookout(context, wanted=self._wants_work, view=self._view)
        self._context = context
        self._bench = Workbench(context, self._send)
        self._worker: WorkerProcess | None = None
        self._ready = False
        self._loaded: str | None = None
        self._health = SlotHealth()
        self._recycle = False
        self._last_words: JobFailed | None = None
        self._killed_s: float | None = None
        self._not_before_s = 0.0
        self._gpu_reports: queue.SimpleQueue[tuple[GpuVerdict, str]] = queue.SimpleQueue()

    def turn(self) -> float:
        """One round of the pump; for a Loop."""
        self._hear_of_gpu()
        if self.isolated:
            self._leave_service()
        if self._recycle and self._bench.empty:
            self._recycle_worker()
        if self._worker is None:
            self._start_worker_when_due()
            return WAIT_RUNNING_S
        try:
            self._start_next()
            self._announce_next()
            self._hasten_end(self._worker)
            self._listen(self._worker)
            self._bench.check()
        except WorkerDied as death:
            self._on_death(str(death))
        except GiveUpWorker as reason:
            self._give_up(str(reason))
        return 0.0

    @property
    def isolated(self) -> bool:
        return self._health.isolated

    @property
    def starting(self) -> bool:
        """Its worker cannot take work yet."""
        return not (self._ready or self.isolated)

    @property
    def idle(self) -> bool:
        return self._bench.empty

    def silent_s(self) -> float:
        """Seconds since a worker that has something to do was last heard."""
        worker = self._worker
        if worker is None or (self._ready and self._bench.running is None):
            return 0.0
        return time.monotonic() - worker.heard_s

    def end_hung_worker(self) -> None:
        """For the watchdog; the pump sees the process die, and counts it as a crash."""
        worker = self._worker  # the pump may forget it meanwhile
        if worker is not None:
            worker.terminate()
            self._killed_s = self._killed_s or time.monotonic()

    def report_gpu(self, verdict: GpuVerdict, reason: str) -> None:
        """For the GPU watch; the pump gives the job back, and a broken GPU no other."""
        self._gpu_reports.put((verdict, reason))

    def report(self) -> SlotReport:
        running = self._bench.running
        return SlotReport(name=self.spec.name, loaded_model=self._loaded, job_id=running.held.id if running else None)

    def close(self) -> None:
        """End the worker; nothing is in hand any more, or its time is over. Only when the pump has ended."""
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def _wants_work(self) -> bool:
        if not self._ready or self.isolated or self._recycle or self._context.board.posted:
            return False
        if time.monotonic() < self._not_before_s:
            return False
        running = self._bench.running
        if running is None:
            return True
        remaining_s = running.remaining_s()
        lead_s = self._context.settings.prefetch_lead_s
        return running.stop is None and remaining_s is not None and remaining_s <= lead_s

    def _view(self) -> SlotView:
        return SlotView(
            models=self._context.models_now(),
            loaded=self._loaded,
            is_spot=self._context.is_spot,
            kept_s=self._context.hands.kept_s(),
        )

    def _send(self, order: FromAgent) -> None:
        if self._worker is None:
            raise WorkerDied(None)
        if isinstance(order, RunJob):  # no other order is work that it could be silent over
            self._worker.heard_s = time.monotonic()
        self._worker.send(order)

    def _start_next(self) -> None:
        if self._bench.running is not None or not self._ready or self.isolated or self._recycle:
            return
        if time.monotonic() < self._not_before_s:
            return
        prepared = self.lookout.take()
        if prepared is None:
            return
        job = None
        try:
            job = None if self._context.board.posted else self._claim(prepared)
        finally:
            if job is None:
                self._context.source.settle_quietly(prepared.reservation.message)
                self.lookout.clear(prepared)
        if job is not None:
            self._bench.start(prepared, job)

    def _announce_next(self) -> None:
        """Inputs lie on the disk already; the worker encodes the texts beside the job under way."""
        if self._bench.running is not None and (request := self.lookout.unannounced()) is not None:
            self._send(PrepareJob(request=request))

    def _claim(self, prepared: Prepared) -> Job | None:
        try:
            return self._context.store.claim(
                prepared.reservation.job.id,
                instance_id=self._context.instance_id,
                slot=self._context.slot_name,
                lease_s=self._context.settings.lease_s,
                usd_per_hour=self._context.slot_usd_per_hour,
                seen=prepared.reservation.job,
            )
        except (NotClaimable, JobNotFound) as refusal:
            logger.info("not claimed", extra={"reason": str(refusal)})
        except (*PASSING_ERRORS, WriteContention) as error:
            # A claim whose answer was lost holds the job until its lease ends; the pump must not wait for the table.
            logger.warning("claim failed", extra={"error": repr(error)})
        return None

    def _listen(self, worker: WorkerProcess) -> None:
        message = worker.receive(WAIT_IDLE_S if self._bench.running is None else WAIT_RUNNING_S)
        while message is not None:
            self._handle(message)
            message = worker.receive(0.0)

    def _handle(self, message: FromWorker) -> None:
        if isinstance(message, WorkerReady):
            self._ready = True
            logger.info("worker ready", extra={"slot": self.spec.name, "device": message.device_name})
        elif isinstance(message, ModelLoaded):
            self._loaded = message.model
            self._bench.note_load(message.seconds)
            seconds("ModelLoad", message.seconds, Model=message.model)
            logger.info("model loaded", extra={"model": message.model, "seconds": message.seconds})
        else:
            if isinstance(message, JobFailed):
                self._note_failure(message)
            self._bench.handle(message)
            if isinstance(message, VideoEncoded):
                self._observe(WorkerEvent.JOB_DONE)

    def _note_failure(self, failure: JobFailed) -> None:
        if failure.ends_worker:
            self._ready = False
            self._last_words = failure
        if failure.kind is FailureKind.MACHINE:
            self._not_before_s = time.monotonic() + MACHINE_PAUSE_S
            # A disk that stays full must not pass jobs round for ever: the slot is isolated like a failing GPU.
            self._observe(WorkerEvent.CRASHED)

    def _observe(self, event: WorkerEvent) -> None:
        if self.isolated:
            return  # for good, and said once
        host_gib = self._worker.host_gib() if self._worker else 0.0
        verdict = observe(
            self._health,
            event,
            self._context.settings.supervision(),
            host_gib=host_gib,
            planned_host_gib=self._bench.planned_host_gib,
        )
        self._health = verdict.health
        if verdict.action is SlotAction.RECYCLE:
            self._recycle = True
        elif verdict.action is SlotAction.RESTART:
            self._not_before_s = max(self._not_before_s, time.monotonic() + verdict.after_s)
        elif verdict.action is SlotAction.ISOLATE:
            logger.critical("slot isolated", extra={"slot": self.spec.name, "reason": verdict.reason})
            count("SlotIsolated")

    def _hear_of_gpu(self) -> None:
        """Whatever a worker computes on a GPU that had an error is not to be trusted, and its job is not to blame."""
        while not self._gpu_reports.empty():
            verdict, reason = self._gpu_reports.get()
            was_there = self._worker is not None
            if was_there:
                self._give_up(reason)
            if verdict is GpuVerdict.BROKEN:
                self._observe(WorkerEvent.DEVICE_BROKEN)
            elif was_there:  # else its worker has died of that very error, which counted
                self._observe(WorkerEvent.DEVICE_FAILED)

    def _start_worker_when_due(self) -> None:
        if self._health.isolated or self._context.board.posted or time.monotonic() < self._not_before_s:
            return
        try:
            self._worker = WorkerProcess(self.spec)
        except OSError as error:
            logger.error("worker not started", extra={"slot": self.spec.name, "error": repr(error)})
            self._observe(WorkerEvent.CRASHED)

    def _forget_worker(self) -> None:
        if self._worker is not None:
            self._worker.kill()
        self._worker = None
        self._bench.planned_host_gib = 0.0
        self._ready = False
        self._killed_s = None
        self._last_words = None
        self._loaded = None
        self._recycle = False

    def _end_idle_worker(self) -> None:
        if self._worker is not None:
            self._worker.exit()
        self._forget_worker()

    def _recycle_worker(self) -> None:
        logger.info("worker recycled", extra={"slot": self.spec.name})
        count("WorkerRecycled")
        self._end_idle_worker()
        self._observe(WorkerEvent.RECYCLED)

    def _leave_service(self) -> None:
        """What was made ready goes to others at once; the worker ends with what it has in hand."""
        self.lookout.drop()
        if self._bench.empty:
            self._end_idle_worker()

    def _hasten_end(self, worker: WorkerProcess) -> None:
        """A worker that hangs on its way out would keep the GPUs from the next one; one that waits in the driver does
        not even end when it is killed. Neither is waited for. Raises WorkerDied."""
        now_s = time.monotonic()
        lingers = self._last_words is not None and now_s - worker.heard_s > EXIT_S
        defies = self._killed_s is not None and now_s - self._killed_s > EXIT_S
        if lingers or defies:
            raise WorkerDied(None)

    def _on_death(self, reason: str) -> None:
        logger.error("worker died", extra={"slot": self.spec.name, "reason": reason})
        count("WorkerDied")
        last_words = self._last_words
        self._forget_worker()
        if last_words is None:
            self._bench.crashed(reason)
            self._observe(WorkerEvent.CRASHED)
        else:
            self._on_told_death(last_words)

    def _on_told_death(self, last_words: JobFailed) -> None:
        """The job that it died of has ended with its last words; what else it had in hand is not to blame."""
        self._bench.abandon(f"the worker ended under another job: {last_words.code}")
        if last_words.kind in (FailureKind.DEVICE, FailureKind.GPU):
            self._observe(WorkerEvent.DEVICE_FAILED)
        elif last_words.kind is not FailureKind.MACHINE:  # which counted when it was told
            self._observe(WorkerEvent.CRASHED)

    def _give_up(self, reason: str) -> None:
        logger.warning("worker given up", extra={"slot": self.spec.name, "reason": reason})
        self._forget_worker()
        self._bench.abandon(self._context.board.reason or reason)
