"""Folders for the blocks of denoisers that stream from the disk, in the process's temporary folder.

They hold tens of GiB, and a worker that is killed does not take its own away: the next one does.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import psutil

_PREFIX = "revalida-blocks-"


def folder_for_blocks() -> TemporaryDirectory[str]:
    """A folder for one denoiser alone: diffusers names the files after the blocks, which two experts share."""
    remove_stale()  # a parallel worker's followers are killed whenever it loads another model
    return TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-")


def remove_stale() -> None:
    """Removes the folders whose process is gone; the workers of other slots keep theirs in the same place."""
    for folder in Path(gettempdir()).glob(f"{_PREFIX}*-*"):
        if not _has_owner(folder):
            shutil.rmtree(folder, ignore_errors=True)  # another worker may be at it


def _has_owner(folder: Path) -> bool:
    pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
    try:
        # The number may be another process's by now: that one began after the last file was written.
        return psutil.Process(int(pid)).create_time() <= folder.stat().st_mtime
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
