"""The worker's end of the pipe: what it is to do, whether it is to stop, and one writer at a time."""

import os
import queue
import threading
from multiprocessing.connection import Connection

from gpu_agent.worker.protocol import Exit, FromAgent, FromWorker, PrepareJob, RunJob, StopJob, StopWhy

ORPHANED_STATUS = 86


class Channel:
    """Reads orders in a thread of its own. An agent that is gone takes its worker with it: nobody would hear it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._orders: queue.SimpleQueue[RunJob | None] = queue.SimpleQueue()
        self._coming: queue.SimpleQueue[PrepareJob] = queue.SimpleQueue()
        self._stops: dict[tuple[str, int], StopWhy] = {}
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def send(self, message: FromWorker) -> None:
        with self._sending:
            try:
                self._connection.send(message)
            except (BrokenPipeError, ConnectionResetError):
                os._exit(ORPHANED_STATUS)

    def next_job(self) -> RunJob | None:
        """Wait for the next job; None when the process is to end."""
        return self._orders.get()

    def next_coming(self) -> PrepareJob:
        """Wait for word of a job to be prepared."""
        return self._coming.get()

    def stop_asked(self, job: RunJob) -> StopWhy | None:
        """Whether this job is to stop, and why."""
        return self._stops.get((job.job_id, job.attempt))

    def forget(self, job: RunJob) -> None:
        self._stops.pop((job.job_id, job.attempt), None)

    def _listen(self) -> None:
        while True:
            try:
                order: FromAgent = self._connection.recv()
            except (EOFError, ConnectionResetError):
                os._exit(ORPHANED_STATUS)
            if isinstance(order, RunJob):
                self._orders.put(order)
            elif isinstance(order, PrepareJob):
                self._coming.put(order)
            elif isinstance(order, StopJob):
                self._stops[order.job_id, order.attempt] = order.why
            elif isinstance(order, Exit):
                self._orders.put(None)
