"""A machine's local copies of the weights: fetched once, whoever of its workers asks first.

    <weights_dir>/<model>/                            put there by hand: used as it is
    <weights_dir>/fetched/<model>/<revision>/         fetched and verified
    <weights_dir>/fetched/<model>/<revision>.partial/ on its way

Workers map the files into memory (safetensors does), so that the copies of several processes are one in the page cache.
A file that several sets have is fetched for the first and linked into the others.
"""

import logging
import shutil
from pathlib import Path

from filelock import FileLock

from models.catalog import ModelSpec
from models.interface import WeightsError
from models.weights.bucket import WeightsBucket
from models.weights.download import download
from models.weights.errors import WeightsUnavailable
from models.weights.manifest import MANIFEST, Manifest, parse

_log = logging.getLogger(__name__)

FETCHED = "fetched"
PARTIAL = ".partial"


class WeightsCache:
    """The weights below `weights_dir`, filled from `bucket`; without a bucket only what lies there is used."""

    def __init__(self, weights_dir: Path, bucket: WeightsBucket | None) -> None:
        self._weights_dir = weights_dir
        self._bucket = bucket

    def folder_of(self, spec: ModelSpec) -> Path | None:
        """The folder to load `spec` from, fetched if need be; None: the files that are shipped with the code.

        Waits while another process of the machine fetches the same model. Raises `WeightsUnavailable` where the bucket
        has none or does not answer, `WeightsError` and `DiskFull` as `download` does.
        """
        by_hand = self._weights_dir / spec.id
        if by_hand.is_dir():
            return by_hand
        if spec.embedded:
            return None
        folder = self._weights_dir / FETCHED / spec.id
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{spec.id}.lock")):
            return self._fetched(spec, folder)

    def _fetched(self, spec: ModelSpec, folder: Path) -> Path:
        try:
            revision = self._revision(spec)
        except WeightsUnavailable:
            last = _newest(folder)
            if last is None:
                raise
            _log.warning("the bucket does not tell which weights of %s are current: %s is used", spec.id, last.name)
            return last
        final = folder / revision
        if _is_whole(final):
            return final
        if final.is_symlink():  # to a copy on the machine image that is not whole
            final.unlink()
        shutil.rmtree(final, ignore_errors=True)
        self._fetch(spec, revision, final)
        return final

    def _revision(self, spec: ModelSpec) -> str:
        """The one that the catalog pins if it is there, rounded rather than as published, else the newest."""
        if self._bucket is None:
            raise WeightsUnavailable(f"{spec.id}: no weights in {self._weights_dir}, and no bucket to fetch them from")
        stored = [found.revision for found in self._bucket.stored(spec.id)]
        if not stored:
            raise WeightsUnavailable(f"{spec.id}: no weights in the bucket; revalida weights pull {spec.id}")
        pinned = spec.weights.revision
        wanted = (spec.weights.stored_revision(pinned), pinned)
        return next((revision for revision in wanted if revision in stored), stored[-1])

    def _fetch(self, spec: ModelSpec, revision: str, final: Path) -> None:
        bucket = self._bucket
        assert bucket is not None  # _revision has asked it
        partial = final.with_name(f"{revision}{PARTIAL}")
        for other in final.parent.glob(f"*{PARTIAL}"):
            if other != partial:  # a revision that nobody wants any more
                shutil.rmtree(other, ignore_errors=True)
        manifest = bucket.manifest(spec.id, revision)
        _log.info("fetching %s, revision %s, %d bytes", spec.id, revision, manifest.bytes)
        download(
            manifest,
            lambda path, start, length, write: bucket.read_range(
                spec.id, revision, path, start=start, length=length, write=write
            ),
            partial,
            on_disk=_files_by_digest(self._weights_dir / FETCHED),
        )
        partial.replace(final)


def fetched_models(weights_dir: Path) -> frozenset[str]:
    """Ids of the models of which a fetched copy lies here."""
    folder = weights_dir / FETCHED
    if not folder.is_dir():
        return frozenset()
    return frozenset(path.name for path in folder.iterdir() if path.is_dir() and _newest(path) is not None)


def _files_by_digest(fetched: Path) -> dict[str, Path]:
    """The files of all whole sets. A model in four steps has nearly all files of its base, and relatives share text
    encoder and VAE: they are on the disk once."""
    files: dict[str, Path] = {}
    for folder in fetched.glob("*/*"):
        manifest = _manifest_if_whole(folder)
        files |= {file.sha256: folder / file.path for file in manifest.files} if manifest else {}
    return files


def _newest(folder: Path) -> Path | None:
    whole = [path for path in folder.iterdir() if path.is_dir() and _is_whole(path)]
    return max(whole, key=lambda path: (path / MANIFEST).stat().st_mtime, default=None)


def _is_whole(folder: Path) -> bool:
    return _manifest_if_whole(folder) is not None


def _manifest_if_whole(folder: Path) -> Manifest | None:
    """The manifest, if every file has its size: the content was verified before the folder got its name."""
    if folder.name.endswith(PARTIAL) or not (folder / MANIFEST).is_file():
        return None
    try:
        manifest = parse((folder / MANIFEST).read_bytes(), name=folder / MANIFEST)
    except WeightsError:
        return None
    paths = [(folder / file.path, file.bytes) for file in manifest.files]
    return manifest if all(path.is_file() and path.stat().st_size == size for path, size in paths) else None
