"""Two workers of one machine hold one copy of the weights: both map the files, and nothing makes a page private."""

import json
import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.models.families import cases

PAGE_BYTES = resource.getpagesize()
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="tells of /proc, which only Linux has")
# One case a family: cases of one family load alike.
NAMES = list({case.family: case.name for case in cases.CASES.values()}.values())


@dataclass(frozen=True)
class Holder:
    """A process that has generated with every model and goes on holding them. `weights`: of each case's networks, the
    bytes in all and those that lie in its files."""

    pid: int
    weights: dict[str, dict[str, tuple[int, int]]]


@pytest.fixture(scope="module")
def holders(weights_of: Callable[[str], Path]) -> Iterator[list[Holder]]:
    for name in NAMES:
        cases.request(cases.CASES[name], weights_of(name))  # draws the image file, which both are going to read
    folders = json.dumps({name: str(weights_of(name)) for name in NAMES})
    command = [sys.executable, "-m", "tests.unit.models.families.hold_worker", folders]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(2)
        ]
        yield [Holder(process.pid, _told(process)) for process in processes]


def _told(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    return json.loads(next(line for line in process.stdout if line.startswith("{")))


def memory_of(pid: int, folder: Path) -> Counter[str]:
    """KiB by kind (`Rss`, `Pss`, `Private_Dirty` ...) of the mappings of files below `folder`."""
    found: Counter[str] = Counter()
    counts = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            counts = str(folder) in line
        elif counts and (figure := re.fullmatch(r"(\w+): +(\d+) kB", line)):
            found[figure[1]] += int(figure[2])
    return found


def pages_kib(folder: Path) -> int:
    """What the files below `folder` take in the page cache when each page of them is there once."""
    return sum(-(-path.stat().st_size // PAGE_BYTES) for path in folder.rglob("*.safetensors")) * PAGE_BYTES // 1024


@on_linux
@pytest.mark.parametrize("name", NAMES)
def test_given_two_workers_then_they_hold_one_copy_of_the_weights(
    name: str, holders: list[Holder], weights_of: Callable[[str], Path]
) -> None:
    memory = [memory_of(holder.pid, weights_of(name)) for holder in holders]

    for holder, its in zip(holders, memory, strict=True):
        assert {"transformer", "vae", "text_encoder"} <= holder.weights[name].keys()
        assert all(mapped == in_all for in_all, mapped in holder.weights[name].values()), "each lies in its file"
        assert its["Rss"] > 0
        # Private and clean is a page of the file that the other has not touched: still the one copy of the page cache.
        assert its["Private_Dirty"] == 0
    assert sum(its["Pss"] for its in memory) <= pages_kib(weights_of(name))
