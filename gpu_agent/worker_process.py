"""The agent's handle on one worker process."""

import multiprocessing
import time
from multiprocessing.connection import Connection, wait

import psutil

from gpu_agent.worker.main import serve
from gpu_agent.worker.protocol import Exit, FromAgent, FromWorker, SlotSpec

BYTES_PER_GIB = 2**30
EXIT_S = 10.0


class WorkerDied(Exception):
    """The worker process is gone. `exit_code` is negative for a signal."""

    def __init__(self, exit_code: int | None) -> None:
        by_signal = exit_code is not None and exit_code < 0
        super().__init__(f"worker ended by signal {-(exit_code or 0)}" if by_signal else f"worker exit {exit_code}")
        self.exit_code = exit_code


class WorkerProcess:
    """A spawned process (never forked: CUDA does not survive a fork) and the pipe to it."""

    def __init__(self, slot: SlotSpec) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, slot), name=f"worker-{slot.name}")
        self._process.start()
        theirs.close()
        self.heard_s = time.monotonic()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def pipe(self) -> Connection:
        return self._pipe

    def send(self, order: FromAgent) -> None:
        """Raises WorkerDied."""
        try:
            self._pipe.send(order)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._died() from error

    def receive(self, timeout_s: float) -> FromWorker | None:
        """The next message, None if there is none within `timeout_s`. Raises WorkerDied."""
        if not wait([self._pipe], timeout_s):
            return None
        try:
            message: FromWorker = self._pipe.recv()
        except (EOFError, ConnectionResetError) as error:
            raise self._died() from error
        self.heard_s = time.monotonic()
        return message

    def host_gib(self) -> float:
        """Resident host memory of the process, in GiB; 0 when it is gone."""
        try:
            return float(psutil.Process(self.pid).memory_info().rss) / BYTES_PER_GIB
        except psutil.NoSuchProcess:
            return 0.0

    def exit(self) -> None:
        """End the idle process, by force if it does not go."""
        try:
            self._pipe.send(Exit())
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            self._process.join(EXIT_S)
        self.kill()

    def terminate(self) -> None:
        """Kill the process and leave the handle: whoever listens sees it die."""
        self._process.kill()

    def kill(self) -> None:
        """End it now. What it was doing is lost."""
        self._process.kill()
        self._process.join(EXIT_S)
        self._pipe.close()

    def _died(self) -> WorkerDied:
        self._process.join(EXIT_S)
        return WorkerDied(self._process.exitcode)
