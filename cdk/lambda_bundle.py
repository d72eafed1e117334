"""The one archive that all functions share: our code and its dependencies, bundled by pip without Docker.

Bundles stand under `.build/`, named by the hash of their inputs; a second synthesis finds its bundle there.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from cdk.bytecode import compile_tree, interpreter

ROOT = Path(__file__).resolve().parent.parent

# What the functions import, and nothing else: no torch, no agent, no tests.
SOURCES = ("lambdas", "jobs", "models/__init__.py", "models/catalog", "models/estimate", "models/placement")
REQUIREMENTS = "lambdas/requirements.txt"

_MANYLINUX_MACHINE = {"arm64": "aarch64", "x86_64": "x86_64"}


def build_bundle(runtime: str, architecture: str, *, root: Path = ROOT) -> Path:
    """Directory to hand to `Code.from_asset`, for e.g. `python3.13` on `arm64`.

    Raises subprocess.CalledProcessError when pip finds no binary wheel of a pinned dependency for that platform.
    """
    dependencies = _dependencies(root, runtime, architecture)
    sources = list(_source_files(root))
    digest = hashlib.sha256(dependencies.name.encode())
    for relative in sources:
        digest.update(f"{relative}\n".encode())
        digest.update(hashlib.sha256((root / relative).read_bytes()).digest())

    def fill(bundle: Path) -> None:
        ours = bundle.with_name("ours")
        for relative in sources:
            destination = ours / relative
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / relative, destination)
        compile_tree(ours, runtime)
        shutil.copytree(dependencies, bundle)
        shutil.copytree(ours, bundle, dirs_exist_ok=True)

    return _built_once(root / ".build" / "lambda" / digest.hexdigest()[:16], fill)


def _dependencies(root: Path, runtime: str, architecture: str) -> Path:
    """The installed dependencies alone, so that a change of our code runs no pip."""
    requirements = root / REQUIREMENTS
    compiled = interpreter(runtime) is not None
    digest = hashlib.sha256(f"{runtime} {architecture} {compiled}\n".encode() + requirements.read_bytes())

    def fill(target: Path) -> None:
        _install(requirements, target, runtime, architecture)
        compile_tree(target, runtime)

    return _built_once(root / ".build" / "lambda-dependencies" / digest.hexdigest()[:16], fill)


def _built_once(target: Path, fill: Callable[[Path], None]) -> Path:
    """`target`, filled if it is not there yet."""
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and renamed, so that an interrupted build never passes for a finished one.
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        unfinished = Path(scratch) / "unfinished"
        fill(unfinished)
        try:
            unfinished.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was first, with the same content
                raise
    return target


def _source_files(root: Path) -> Iterator[Path]:
    for source in SOURCES:
        path = root / source
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in found:
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc":
                yield file.relative_to(root)


def _install(requirements: Path, target: Path, runtime: str, architecture: str) -> None:
    machine = _MANYLINUX_MACHINE[architecture]
    # Amazon Linux 2023 has glibc 2.34; pip takes the tags that are named and no older ones.
    platforms = [f"--platform=manylinux_2_{glibc}_{machine}" for glibc in range(34, 16, -1)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--only-binary=:all:"]
    command += [f"--target={target}", "--implementation=cp", f"--python-version={runtime.removeprefix('python')}"]
    command += [*platforms, f"--platform=manylinux2014_{machine}", f"--requirement={requirements}"]
    subprocess.run(command, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    shutil.rmtree(target / "bin", ignore_errors=True)
