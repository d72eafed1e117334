"""One local system a directory."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.errors import AlreadyRunning


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Holds the directory; the kernel lets go of it whatever happens. Raises AlreadyRunning."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(
                f"A local system already runs with its state in {directory}. Stop it, or start this one with another "
                "directory and port: REVALIDA_LOCAL_DIR=... PORT=... make run"
            ) from error
        yield
