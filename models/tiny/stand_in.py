"""The stand-in for `wan-mini`: a model that always starts, with nothing trained or fetched."""

from __future__ import annotations

import contextlib
import getpass
import tempfile
from pathlib import Path

from models.tiny.wan import wan


def stand_in(model_id: str) -> Path:
    """A folder with random weights in Wan's layout, made once a machine. Its videos are noise."""
    folder = Path(tempfile.gettempdir()) / f"revalida-{getpass.getuser()}-stand-in-{model_id}"
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=folder.parent) as workshop:
        made = Path(workshop) / "model"
        wan(made, two_experts=True, euler=True)
        with contextlib.suppress(OSError):  # another process was first: its folder is the same
            made.rename(folder)
    return folder
