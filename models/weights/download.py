"""Fetches a manifest's files into a folder: many byte ranges at once, each noted when it is done, then verified.

A process that is killed half-way leaves the folder with its notes, and the next one fetches only what is missing.
"""

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from models.interface import WeightsError
from models.weights.errors import DiskFull, WeightsUnavailable
from models.weights.manifest import MANIFEST, FileEntry, Manifest, check_content, sha256_of

# S3's performance guide: one connection gives about 85-90 MB/s, ranges of 8-16 MB and more are worth one each.
RANGE_BYTES = 32 * 2**20
CONNECTIONS = 16
TRIES = 4
PAUSE_S = 0.5  # before a range is tried again; the client has its own, growing ones for requests
HASHING_THREADS = 4
_NOTES = ".ranges"
_SPARE_BYTES = 256 * 2**20  # left to the jobs of the machine

ReadRange = Callable[[str, int, int, Callable[[bytes, int], None]], None]
"""(path, start, length, write(block, offset)); raises WeightsUnavailable."""


class _Range(NamedTuple):
    file: FileEntry
    start: int
    length: int

    @property
    def note(self) -> str:
        return f"{self.start} {self.length} {self.file.path}"


class _Notes:
    """Which ranges are on the disk: one line each, written after the bytes. Those of another manifest count for
    nothing."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._path = folder / _NOTES
        self._head = f"{manifest.model} {manifest.revision} {hash_of(manifest)}"
        self._lock = threading.Lock()

    def read(self) -> set[str] | None:
        """The finished ranges; None where the folder holds another manifest's, or nothing."""
        try:
            text = self._path.read_text("utf-8")
        except FileNotFoundError:
            return None
        lines = text.split("\n")[:-1]  # without a last line that was cut off
        return set(lines[1:]) if lines[:1] == [self._head] else None

    def begin(self) -> None:
        self._path.write_text(f"{self._head}\n", "utf-8")

    def add(self, done: _Range) -> None:
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(f"{done.note}\n")

    def remove(self) -> None:
        self._path.unlink()


def hash_of(manifest: Manifest) -> str:
    """What tells two manifests of one revision apart."""
    return hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()


def download(
    manifest: Manifest, read_range: ReadRange, folder: Path, *, on_disk: Mapping[str, Path] | None = None
) -> None:
    """Puts every file of `manifest` into `folder`, and the manifest last.

    `on_disk`: files of other sets on this disk, by SHA-256; those are linked instead of fetched.
    Raises `WeightsUnavailable` (the folder stays, the next call goes on), and `WeightsError` for a wrong checksum, a
    pickle or a damaged file, or `DiskFull`: then the folder is removed.
    """
    notes = _Notes(folder, manifest)
    done = notes.read()
    if done is None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        notes.begin()
        done = set()
    total = shutil.disk_usage(folder).total
    if manifest.bytes > total:  # before a list of its ranges is made
        shutil.rmtree(folder)
        raise DiskFull(folder, needed_bytes=manifest.bytes, free_bytes=total)
    done |= _linked(manifest.files, done, on_disk or {}, folder, notes)
    missing = [part for part in _ranges(manifest.files) if part.note not in done]
    try:
        _make_room(manifest, missing, folder)
        _fetch_all(missing, read_range, folder, notes)
        _verify_all(manifest, folder, on_disk or {})
        notes.remove()
        (folder / MANIFEST).write_text(manifest.model_dump_json(), "utf-8")
    except WeightsError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except OSError as error:
        free = shutil.disk_usage(folder).free
        shutil.rmtree(folder, ignore_errors=True)
        if DiskFull.is_meant_by(error):
            needed = sum(part.length for part in missing)
            raise DiskFull(folder, needed_bytes=needed, free_bytes=free) from error
        raise


def _ranges(files: Iterable[FileEntry]) -> list[_Range]:
    return [
        _Range(file, start, min(RANGE_BYTES, file.bytes - start))
        for file in files
        for start in range(0, file.bytes, RANGE_BYTES)
    ]


def _linked(
    files: Iterable[FileEntry], done: set[str], on_disk: Mapping[str, Path], folder: Path, notes: _Notes
) -> set[str]:
    """Links what lies on the disk already, unless some of it was fetched; the notes of its ranges."""
    added = set()
    for file in files:
        parts, other = _ranges((file,)), on_disk.get(file.sha256)
        if other is None or any(part.note in done for part in parts) or not _link(other, folder / file.path):
            continue
        for part in parts:
            notes.add(part)
            added.add(part.note)
    return added


def _link(source: Path, path: Path) -> bool:
    """Whether it could be linked: some file systems have no links, and another process may have removed the source."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.hardlink_to(source)
    except OSError:
        return False
    return True


def _make_room(manifest: Manifest, missing: list[_Range], folder: Path) -> None:
    """Lays out the files at their full size; they are sparse until their ranges come."""
    needed = sum(part.length for part in missing)
    free = shutil.disk_usage(folder).free
    if needed + _SPARE_BYTES > free:
        raise DiskFull(folder, needed_bytes=needed, free_bytes=free)
    for file in manifest.files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as handle:
            handle.truncate(file.bytes)


def _fetch_all(missing: list[_Range], read_range: ReadRange, folder: Path, notes: _Notes) -> None:
    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="weights") as pool:
        futures = [pool.submit(_fetch, part, read_range, folder, notes) for part in missing]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _fetch(part: _Range, read_range: ReadRange, folder: Path, notes: _Notes) -> None:
    """One range. Connections break: it is tried again before the download is given up."""
    handle = os.open(folder / part.file.path, os.O_WRONLY)

    def write(block: bytes, offset: int) -> None:
        view = memoryview(block)
        while view:
            written = os.pwrite(handle, view, offset)
            view, offset = view[written:], offset + written

    try:
        for tries_left in reversed(range(TRIES)):
            try:
                read_range(part.file.path, part.start, part.length, write)
                break
            except WeightsUnavailable:
                if not tries_left:
                    raise
                time.sleep(PAUSE_S)
    finally:
        os.close(handle)
    notes.add(part)


def _verify_all(manifest: Manifest, folder: Path, on_disk: Mapping[str, Path]) -> None:
    with ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="verify") as pool:
        for _ in pool.map(lambda file: _verify(file, folder / file.path, on_disk.get(file.sha256)), manifest.files):
            pass


def _verify(file: FileEntry, path: Path, other: Path | None) -> None:
    digest = sha256_of(path)
    if digest != file.sha256:
        if other is not None and other.exists() and other.samefile(path):
            other.unlink()  # it went bad on the disk: else every further try would link it again
        raise WeightsError(
            Path(file.path), f"SHA-256 {digest} where the manifest says {file.sha256}; the download was removed"
        )
    check_content(path)
