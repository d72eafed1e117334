"""A worker that fetches the weights: `python -m ... <endpoint> <weights_dir> <range bytes> <die after ranges>`.

Prints how many ranges it read, as JSON. With `die after ranges` above 0 it kills itself in the middle of the next one.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from models.weights import download
from models.weights.bucket import WeightsBucket
from models.weights.cache import WeightsCache
from tests.unit.models.weights.support import BUCKET, ROOT, SPEC, client


class CountingBucket(WeightsBucket):
    """Counts ranges, and dies after some bytes of one."""

    def __init__(self, endpoint: str, die_after: int) -> None:
        super().__init__(client(endpoint), BUCKET, root=ROOT)
        self.ranges = 0
        self._die_after = die_after
        self._lock = threading.Lock()

    def read_range(
        self, model: str, revision: str, path: str, *, start: int, length: int, write: Callable[[bytes, int], None]
    ) -> None:
        with self._lock:
            self.ranges += 1
            dies = self._die_after and self.ranges > self._die_after

        def write_or_die(block: bytes, offset: int) -> None:
            if dies:
                write(block[: len(block) // 2], offset)
                os.kill(os.getpid(), signal.SIGKILL)
            write(block, offset)

        super().read_range(model, revision, path, start=start, length=length, write=write_or_die)


def main(endpoint: str, weights_dir: str, range_bytes: str, die_after: str) -> None:
    download.RANGE_BYTES = int(range_bytes)
    download.CONNECTIONS = 4
    bucket = CountingBucket(endpoint, int(die_after))
    folder = WeightsCache(Path(weights_dir), bucket).folder_of(SPEC)
    print(json.dumps({"ranges": bucket.ranges, "folder": str(folder)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
