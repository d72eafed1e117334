"""The operator's pull: every file that the catalog asks for into the bucket, then the manifest.

A pull that was cut short goes on where it was: files that lie in the bucket with the right digest are not sent again,
and those whose digest the Hub tells are not even downloaded. What another model has already is copied within S3: a
model in four steps has all but its LoRAs from its base. Until the manifest is there no agent sees any of it.

What is published in float32 and loaded in bfloat16 is rounded on the way: half the bytes to keep, fetch and read.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import NamedTuple

from models.catalog import ModelSpec, Rounding, WeightsSource
from models.interface import WeightsError
from models.weights import selection
from models.weights.bucket import Place, WeightsBucket
from models.weights.errors import DiskFull
from models.weights.manifest import FileEntry, Manifest, Origin, check_content, sha256_of
from models.weights.narrowing import narrow
from models.weights.origins import Known, PullOrigin, content_revision


class PulledFile(NamedTuple):
    """For a progress display: `sent` is False for a file that lay in the bucket already, of whatever model."""

    path: str
    bytes: int
    sent: bool
    number: int
    of: int


class _Wanted(NamedTuple):
    source: WeightsSource
    commit: str | None
    path: str
    known: Known
    beside: tuple[str, ...]  # all that is taken from this source


class _Target:
    """Where a set is brought to. `places` are what whole sets are said to have, by digest."""

    def __init__(self, bucket: WeightsBucket, model: str, revision: str, places: Mapping[str, Place]) -> None:
        self._bucket = bucket
        self._model = model
        self._revision = revision
        self._places = places
        of_rounded = [place for place in places.values() if place.file.published_sha256]
        self._rounded = {place.file.published_sha256: place for place in of_rounded}

    def found(self, published: FileEntry, *, is_rounded: bool) -> FileEntry | None:
        """What an earlier pull made of the `published` file, if it is there, or in another set, to be copied."""
        if not is_rounded:
            return published if self._has(published) else None
        there = self._bucket.file_at(self._model, self._revision, published.path)
        if there is not None and published.sha256 in (there.published_sha256, there.sha256):
            return there
        elsewhere = self._rounded.get(published.sha256)
        copy = None if elsewhere is None else elsewhere.file.model_copy(update={"path": published.path})
        return copy if copy is not None and self._has(copy) else None

    def put(self, file: FileEntry, content: Path) -> None:
        self._bucket.put(self._model, self._revision, file, content)

    def _has(self, file: FileEntry) -> bool:
        if self._bucket.has(self._model, self._revision, file):
            return True
        source = self._places.get(file.sha256)
        # A manifest only says so: its object may be gone, or be the very one that this pull has to mend.
        if source is None or not self._bucket.has(*source):
            return False
        self._bucket.copy(source, self._model, self._revision, file)
        return True


def pull(
    spec: ModelSpec,
    origin: PullOrigin,
    bucket: WeightsBucket,
    *,
    on_file: Callable[[PulledFile], None],
    staging: Path | None = None,
) -> Manifest:
    """Brings the weights of `spec` into the bucket; the manifest it wrote. Files are rounded in `staging`.

    Raises `WeightsError` naming a missing, damaged or pickle file; `WeightsUnavailable`; `DiskFull` where the staging
    disk is too small for a file.
    """
    wanted = _wanted(spec, origin)
    commits = [each.commit for each in wanted]
    revision = spec.weights.stored_revision(commits[0] or content_revision(_digests(wanted, origin)))
    target = _Target(bucket, spec.id, revision, bucket.places_by_digest())
    entries = []
    for number, each in enumerate(wanted, start=1):
        entry, sent = _bring(each, origin, target, staging)
        entries.append(entry)
        on_file(PulledFile(entry.path, entry.bytes, sent, number, len(wanted)))
    origins = {each.source.repo: Origin(name=each.source.repo, revision=each.commit or "folder") for each in wanted}
    manifest = Manifest(model=spec.id, revision=revision, origins=tuple(origins.values()), files=tuple(entries))
    bucket.put_manifest(manifest)
    return manifest


def _wanted(spec: ModelSpec, origin: PullOrigin) -> list[_Wanted]:
    found = []
    for source in spec.weights.sources:
        listing = origin.listing(source)
        chosen = selection.select(listing.files, source)
        found += [_Wanted(source, listing.commit, path, listing.files[path], chosen) for path in chosen]
    return found


def _digests(wanted: list[_Wanted], origin: PullOrigin) -> dict[str, str]:
    digests = {}
    for each in wanted:
        with origin.content(each.source, each.commit, each.path) as content:
            digests[each.path] = sha256_of(content)
    return digests


def _bring(wanted: _Wanted, origin: PullOrigin, target: _Target, staging: Path | None) -> tuple[FileEntry, bool]:
    """What lies in the bucket for it, and whether it was sent just now."""
    known, rounding = wanted.known, selection.rounding_of(wanted.path, wanted.source)
    if known.sha256 is not None and known.bytes is not None:
        published = FileEntry(path=wanted.path, bytes=known.bytes, sha256=known.sha256)
        if (found := target.found(published, is_rounded=rounding is not None)) is not None:
            return found, False
    with origin.content(wanted.source, wanted.commit, wanted.path) as content:
        published = _checked(wanted, content)
        if (found := target.found(published, is_rounded=rounding is not None)) is not None:
            return found, False
        with _to_store(published, content, rounding, staging) as (entry, stored):
            target.put(entry, stored)
    return entry, True


def _checked(wanted: _Wanted, content: Path) -> FileEntry:
    check_content(content)
    selection.check_shards(content, wanted.path, wanted.beside)
    digest = sha256_of(content)
    if wanted.known.sha256 not in (None, digest):
        raise WeightsError(Path(wanted.path), f"SHA-256 {digest} came where the Hub says {wanted.known.sha256}")
    return FileEntry(path=wanted.path, bytes=content.stat().st_size, sha256=digest)


@contextmanager
def _to_store(
    published: FileEntry, content: Path, rounding: Rounding | None, staging: Path | None
) -> Iterator[tuple[FileEntry, Path]]:
    """The file as it is to lie in the bucket, while the context lasts."""
    if rounding is None:
        yield published, content
        return
    with TemporaryDirectory(dir=staging, prefix="revalida-pull-") as folder:
        rounded = Path(folder) / content.name
        if not _narrow(content, rounded, rounding):
            yield published, content
            return
        size_bytes, digest = rounded.stat().st_size, sha256_of(rounded)
        entry = FileEntry(path=published.path, bytes=size_bytes, sha256=digest, published_sha256=published.sha256)
        yield entry, rounded


def _narrow(content: Path, rounded: Path, rounding: Rounding) -> bool:
    try:
        return narrow(content, rounded, keeps=rounding.keeps_float32)
    except OSError as error:
        if DiskFull.is_meant_by(error):
            raise DiskFull(rounded.parent, free_bytes=disk_usage(rounded.parent).free) from error
        raise
