"""A worker's own folders in the system's temporary one: for the blocks of denoisers that stream from the disk, and for
the checkpoint that the processes of a parallel worker share.

The blocks are tens of GiB, and a worker that is killed does not take its own away: the next one does.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import psutil

_BLOCKS, _RESUME = "revalida-blocks-", "revalida-resume-"


def folder_for_blocks() -> TemporaryDirectory[str]:
    """A folder for one denoiser alone: diffusers names the files after the blocks, which two experts share."""
    remove_stale()  # a parallel worker's followers are killed whenever it loads another model
    return _own_folder(_BLOCKS)


def folder_for_resume() -> TemporaryDirectory[str]:
    """A folder for the checkpoint that a parallel worker's followers read."""
    return _own_folder(_RESUME)


def _own_folder(prefix: str) -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-")


def remove_stale() -> None:
    """Removes the folders whose process is gone; the workers of other slots keep theirs in the same place."""
    for prefix in (_BLOCKS, _RESUME):
        for folder in Path(gettempdir()).glob(f"{prefix}*-*"):
            if not _has_owner(folder, prefix):
                shutil.rmtree(folder, ignore_errors=True)  # another worker may be at it


def _has_owner(folder: Path, prefix: str) -> bool:
    pid = folder.name.removeprefix(prefix).partition("-")[0]
    try:
        # The number may be another process's by now: that one began after the last file was written.
        return psutil.Process(int(pid)).create_time() <= folder.stat().st_mtime
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
