"""A fresh process of `test_memory`: writes a short and a long video, and prints how many MiB the short one took, and
how many more the long one.

python -m tests.unit.models.output.write_worker <frames> <more frames> <side> <folder> <codec>
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.output import CODECS, write_video

KIB = 1024


def frames(count: int, side: int) -> Iterator[NDArray[np.uint8]]:
    ramp = np.arange(side * side * 3, dtype=np.uint32).reshape(side, side, 3)
    for index in range(count):
        yield (ramp // 97 + index * 3).astype(np.uint8)


def peak_mib() -> float:
    """The most resident memory so far. `ru_maxrss` would begin at the parent's, which may be more than all of ours."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / KIB


def main(short: int, long: int, side: int, folder: Path, codec: str) -> None:
    for count in (short, long):  # the short one fills what the encoder looks ahead
        before_mib = peak_mib()
        path = folder / f"video{CODECS[codec].suffix}"
        write_video(
            frames(count, side),
            path,
            fps=16,
            num_frames=count,
            codec=codec,
            thumbnail=folder / "thumbnail.jpg",
            spritesheet=folder / "spritesheet.jpg",
        )
        print(peak_mib() - before_mib)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5])
