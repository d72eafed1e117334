"""The one archive that all functions share: our code and its dependencies, bundled by pip without Docker.

Bundles stand under `.build/lambda/<hash of all inputs>`; a second synthesis finds its bundle there and runs no pip.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What the functions import, and nothing else: no torch, no agent, no tests.
SOURCES = ("lambdas", "jobs", "models/__init__.py", "models/catalog", "models/estimate", "models/placement")
REQUIREMENTS = "lambdas/requirements.txt"

_MANYLINUX_MACHINE = {"arm64": "aarch64", "x86_64": "x86_64"}


def build_bundle(runtime: str, architecture: str, *, root: Path = ROOT) -> Path:
    """Directory to hand to `Code.from_asset`, for e.g. `python3.13` on `arm64`.

    Raises subprocess.CalledProcessError when pip finds no binary wheel of a pinned dependency for that platform.
    """
    target = root / ".build" / "lambda" / _fingerprint(root, runtime, architecture)
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and renamed, so that an interrupted bundling never passes for a finished one.
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        unfinished = Path(scratch) / "bundle"
        _install_dependencies(root / REQUIREMENTS, unfinished, runtime, architecture)
        for relative in _source_files(root):
            destination = unfinished / relative
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / relative, destination)
        try:
            unfinished.rename(target)
        except OSError:
            if not target.is_dir():  # else another synthesis was first, with the same content
                raise
    return target


def _fingerprint(root: Path, runtime: str, architecture: str) -> str:
    digest = hashlib.sha256(f"{runtime} {architecture}\n".encode())
    for relative in _source_files(root):
        digest.update(f"{relative}\n".encode())
        digest.update(hashlib.sha256((root / relative).read_bytes()).digest())
    return digest.hexdigest()[:16]


def _source_files(root: Path) -> Iterator[Path]:
    for source in SOURCES:
        path = root / source
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in found:
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc":
                yield file.relative_to(root)


def _install_dependencies(requirements: Path, target: Path, runtime: str, architecture: str) -> None:
    machine = _MANYLINUX_MACHINE[architecture]
    # Newest first: pip takes a wheel of any of the named platforms; Amazon Linux 2023 has glibc 2.34.
    platforms = [f"--platform=manylinux_2_{glibc}_{machine}" for glibc in (34, 28, 17)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--only-binary=:all:"]
    command += [f"--target={target}", "--implementation=cp", f"--python-version={runtime.removeprefix('python')}"]
    command += [*platforms, f"--platform=manylinux2014_{machine}", f"--requirement={requirements}"]
    subprocess.run(command, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    shutil.rmtree(target / "bin", ignore_errors=True)
