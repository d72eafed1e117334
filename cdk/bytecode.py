"""Bytecode for the functions' archive. Their files are read-only when they run: without it, each cold start would
compile every module again, which takes longer than all else that an import does."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

INSTALLED_AT = "/var/task"  # what tracebacks are to show
_VERSION = "import sys; print('python%d.%d' % sys.version_info[:2])"


@cache
def interpreter(runtime: str) -> str | None:
    """A Python of the runtime's version (`python3.13`): bytecode is a version's own. None if this machine has none."""
    if runtime == f"python{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    found = shutil.which(runtime)
    if found is None:
        return None
    # A version manager may have put a name there that leads to nothing.
    answer = subprocess.run([found, "-c", _VERSION], capture_output=True, text=True, check=False)
    return found if answer.returncode == 0 and answer.stdout.strip() == runtime else None


def compile_tree(folder: Path, runtime: str) -> None:
    """Put bytecode beside every source below `folder`, if there is an interpreter for it.

    It is never checked against the source: in an archive, the times that would tell them apart are not kept."""
    python = interpreter(runtime)
    if python is None:
        message = (
            f"{runtime} is not on the PATH: the functions' archive has no bytecode, and their cold starts are slow."
        )
        sys.stderr.write(f"{message}\n")
        return
    command = [python, "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash"]
    subprocess.run([*command, "-s", str(folder), "-p", INSTALLED_AT, str(folder)], check=True)
