"""What can go wrong on the way, beside `models.interface.WeightsError`, which names a bad file."""

import errno
from pathlib import Path

from models.interface import ModelError

GIB = 2**30


class WeightsUnavailable(ModelError):
    """The Hub or the bucket does not answer, or does not have what is asked for. Nothing is damaged; try again."""


class DiskFull(OSError):
    """The disk of `folder` cannot take the files; what had been written there is removed."""

    def __init__(self, folder: Path, *, free_bytes: int, needed_bytes: int | None = None) -> None:
        """`needed_bytes` None: not known before the file is there."""
        what = "the weights" if needed_bytes is None else f"{needed_bytes / GIB:.2f} GiB of weights"
        text = f"{what} do not fit, {free_bytes / GIB:.2f} GiB are free"
        super().__init__(errno.ENOSPC, text, str(folder))

    @staticmethod
    def is_meant_by(error: OSError) -> bool:
        """Whether the system says that a disk, a quota or a file's limit is full."""
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
