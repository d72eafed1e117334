"""The pool in which attempts end, beside the slots. A defect there ends the agent instead of vanishing in a future."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec

from gpu_agent.logs import logger

Parameters = ParamSpec("Parameters")


class Ending:
    """Runs what ends attempts. `on_death` is called with a name when one raises what it should not."""

    def __init__(self, *, workers: int, on_death: Callable[[str], None]) -> None:
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="ending")
        self._on_death = on_death

    def submit(self, action: Callable[Parameters, None], *args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        self._pool.submit(action, *args, **kwargs).add_done_callback(self._look)

    def close(self) -> None:
        """Start nothing more; what runs is left to the leases."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self, future: "Future[None]") -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            logger.critical("ending an attempt failed", exc_info=error)
            self._on_death("ending")
