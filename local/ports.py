"""Ports on loopback."""

import contextlib
import socket

from local.errors import PortTaken
from local.settings import LOOPBACK


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port in TIME_WAIT from the last run is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return True
    return False


def require_free(port: int, *, variable: str) -> int:
    """The port. Raises PortTaken naming the variable that chooses another."""
    if not is_free(port):
        raise PortTaken(
            f"Port {port} on {LOOPBACK} is taken by another program. Stop it, or choose another port: "
            f"{variable}={port + 1} make run"
        )
    return port


def free_port(preferred: int | None = None) -> int:
    """`preferred` if it is free, else any free port."""
    if preferred is not None and is_free(preferred):
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
