"""The processes of one worker that share a video, and the watch that they keep on each other.

A collective operation waits for all of its group: one process that dies or hangs would hold the others, and their
GPUs, for ever, and no exception reaches a process that waits inside of a kernel. So each tells the others that it
lives, from a thread of its own; whoever misses a sign for `SILENCE_S` ends itself and, if it leads, the others. The
agent then finds its worker gone, and the job goes on from its last checkpoint.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import torch
import torch.distributed as dist

BEAT_S = 2.0
SILENCE_S = 20.0
EXIT_STATUS = 87
_JOIN_S = 10.0
_START_S = 300.0
# The watch below is quicker; this only ends a wait that the watch cannot see.
_COLLECTIVE_LIMIT = timedelta(hours=2)
_BEAT = "beat"


def join_group(rank: int, size: int, port: int, device: torch.device) -> None:
    """Joins the process group of the crew."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=f"tcp://127.0.0.1:{port}",
        rank=rank,
        world_size=size,
        timeout=_COLLECTIVE_LIMIT,
        device_id=device if device.type == "cuda" else None,
    )


class Line:
    """One end of the pipe between the leader and a follower: messages, and signs of life among them."""

    def __init__(self, connection: Connection, on_end: Callable[[], None]) -> None:
        """`on_end` is called once the other end is closed."""
        self._connection = connection
        self._sending = threading.Lock()
        self._arrived = threading.Condition()
        self._messages: list[Any] = []
        self._on_end = on_end
        # A process that still starts (imports torch on a busy machine) has given no sign yet.
        self.heard_s = time.monotonic() + _START_S
        threading.Thread(target=self._listen, name="crew-listen", daemon=True).start()

    def send(self, message: Any) -> None:
        with self._sending, suppress(BrokenPipeError, ConnectionResetError, OSError):
            self._connection.send(message)

    def receive(self) -> Any:
        """The next message, whenever it comes."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._messages)
            return self._messages.pop(0)

    def _listen(self) -> None:
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, ConnectionResetError, OSError):
                self._on_end()
                return
            self.heard_s = time.monotonic()
            if message != _BEAT:
                with self._arrived:
                    self._messages.append(message)
                    self._arrived.notify()


class Crew:
    """The leader's side: starts the followers, watches them, speaks to all of them."""

    def __init__(self, size: int, device_type: str, follow: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        """Starts `size - 1` processes that run `follow(line, device, *arguments)`, and joins the group with them."""
        self._closed = threading.Event()
        port = _free_port()
        # CUDA does not survive a fork, not even of a server that only imported the libraries: some of them ask for the
        # GPU as they are imported.
        context = multiprocessing.get_context("spawn")
        self._processes = []
        self._lines: list[Line] = []
        for rank in range(1, size):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_start, args=(theirs, rank, size, port, device_type, follow, arguments), name=f"rank-{rank}"
            )
            process.start()
            theirs.close()
            self._processes.append(process)
            self._lines.append(Line(ours, lambda rank=rank: self._lost(f"rank {rank} is gone")))  # type: ignore[misc]
        threading.Thread(target=self._watch, name="crew-watch", daemon=True).start()
        self.device = _device(device_type, 0)
        join_group(0, size, port, self.device)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes if process.pid is not None]

    def tell(self, message: Any) -> None:
        for line in self._lines:
            line.send(message)

    def close(self) -> None:
        """Ends the followers and leaves the group."""
        self._closed.set()
        self._kill()
        if dist.is_initialized():
            dist.destroy_process_group()

    def _watch(self) -> None:
        while not self._closed.wait(BEAT_S):
            self.tell(_BEAT)
            now_s = time.monotonic()
            for rank, line in enumerate(self._lines, start=1):
                if now_s - line.heard_s > SILENCE_S:
                    self._lost(f"rank {rank} has given no sign of life for {SILENCE_S:.0f} s")

    def _lost(self, reason: str) -> None:
        """Ends this process and all others: the leader may wait inside of a collective, where nothing reaches it."""
        if self._closed.is_set():
            return
        print(f"parallel worker ends: {reason}", file=sys.stderr, flush=True)
        self._closed.set()
        self._kill()
        os._exit(EXIT_STATUS)

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join(_JOIN_S)


def _start(
    connection: Connection,
    rank: int,
    size: int,
    port: int,
    device_type: str,
    follow: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    """A follower's life: it ends when the leader is gone, silent, or says so."""
    # systemd tells every process of a service to end; the leader goes on until its checkpoint is safe, and needs this
    # one for that.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    line = Line(connection, lambda: os._exit(EXIT_STATUS))

    def beat() -> None:
        while True:
            line.send(_BEAT)  # the first at once: until then the leader takes this process for one that still starts
            time.sleep(BEAT_S)
            if time.monotonic() - line.heard_s > SILENCE_S:
                os._exit(EXIT_STATUS)

    threading.Thread(target=beat, name="crew-beat", daemon=True).start()
    device = _device(device_type, rank)
    join_group(rank, size, port, device)
    follow(line, device, *arguments)


def _device(device_type: str, rank: int) -> torch.device:
    return torch.device("cuda", rank) if device_type == "cuda" else torch.device("cpu")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
