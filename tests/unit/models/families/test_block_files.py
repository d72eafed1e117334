"""Blocks that stream from the disk: whose folders go when, also those of workers that were killed."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import save_file

from models.common import block_files
from models.common.residency import Residency
from tests.unit.models.families import cases
from tests.unit.models.families.test_residency import PLACES, open_model

CASE = cases.CASES["wan-t2v-two-experts"]
BLOCKS = "revalida-blocks-*"
KILLED = """
import os, signal, sys
from pathlib import Path
from models.common import block_files
folder = getattr(block_files, sys.argv[1])()
(Path(folder.name) / "group.safetensors").write_bytes(bytes(8))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, which the workers of one machine share."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def left_by_a_killed_worker(temporary: Path, kind: str) -> None:
    environment = os.environ | {"TMPDIR": str(temporary)}
    assert subprocess.run([sys.executable, "-c", KILLED, kind], env=environment, check=False).returncode < 0
    assert list(temporary.glob("revalida-*/*.safetensors"))


@pytest.mark.parametrize("kind", ["folder_for_blocks", "folder_for_resume"])
def test_given_the_folder_of_a_killed_worker_then_it_goes_and_those_of_living_ones_stay(
    temporary: Path, kind: str
) -> None:
    left_by_a_killed_worker(temporary, kind)
    (temporary / "another-program").mkdir()

    with getattr(block_files, kind)() as own:
        block_files.remove_stale()

        assert {path.name for path in temporary.iterdir()} == {Path(own).name, "another-program"}


def test_given_a_killed_workers_number_at_another_process_then_its_folder_goes(temporary: Path) -> None:
    folder = temporary / f"revalida-blocks-{os.getpid()}-x"
    folder.mkdir()
    before_s = psutil.Process().create_time() - 1.0
    os.utime(folder, (before_s, before_s))

    block_files.remove_stale()

    assert not folder.exists()


def test_given_a_load_that_fails_midway_then_its_blocks_are_gone_and_a_later_one_works(
    temporary: Path, weights_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = weights_of(CASE.name)
    model = open_model(CASE, folder, Residency(**PLACES[-1]), "cpu")
    asked = cases.request(CASE, folder)
    written: list[Path] = []

    def until_the_disk_is_full(tensors: dict[str, torch.Tensor], path: str) -> None:
        if len(written) == 4:  # the first expert's two blocks and rest, and a block of the second
            raise OSError(errno.ENOSPC, "No space left on device")
        save_file(tensors, path)
        written.append(Path(path))

    with monkeypatch.context() as patched:
        patched.setattr("safetensors.torch.save_file", until_the_disk_is_full)
        with pytest.raises(OSError, match="No space"):
            cases.frames_of(model, asked)

    assert len({path.parent for path in written}) == 2, "both experts had begun"
    assert not list(temporary.glob(BLOCKS))
    assert len(cases.frames_of(model, asked)) == asked.num_frames
