"""The operator's pull: every file that the catalog asks for into the bucket, then the manifest.

A pull that was cut short goes on where it was: files that lie in the bucket with the right digest are not sent again,
and those whose digest the Hub tells are not even downloaded. What another model has already is copied within S3: a
model in four steps has all but its LoRAs from its base. Until the manifest is there no agent sees any of it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from models.catalog import ModelSpec, WeightsSource
from models.interface import WeightsError
from models.weights import selection
from models.weights.bucket import Place, WeightsBucket
from models.weights.manifest import FileEntry, Manifest, Origin, check_content, sha256_of
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


class _Target(NamedTuple):
    bucket: WeightsBucket
    model: str
    revision: str
    elsewhere: Mapping[str, Place]  # by digest, what whole sets are said to have

    def has(self, file: FileEntry) -> bool:
        """Whether the file lies there, by a copy from another set if need be."""
        if self.bucket.has(self.model, self.revision, file):
            return True
        source = self.elsewhere.get(file.sha256)
        # A manifest only says so: its object may be gone, or be the very one that this pull has to mend.
        if source is None or not self.bucket.has(*source):
            return False
        self.bucket.copy(source, self.model, self.revision, file)
        return True


def pull(
    spec: ModelSpec, origin: PullOrigin, bucket: WeightsBucket, *, on_file: Callable[[PulledFile], None]
) -> Manifest:
    """Brings the weights of `spec` into the bucket; the manifest it wrote.

    Raises `WeightsError` naming a missing, damaged or pickle file; `WeightsUnavailable`; `DiskFull` where the staging
    disk is too small for a file.
    """
    wanted = _wanted(spec, origin)
    commits = [each.commit for each in wanted]
    revision = commits[0] or content_revision(_digests(wanted, origin))
    target = _Target(bucket, spec.id, revision, bucket.places_by_digest())
    entries = []
    for number, each in enumerate(wanted, start=1):
        entry, sent = _bring(each, origin, target)
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


def _bring(wanted: _Wanted, origin: PullOrigin, target: _Target) -> tuple[FileEntry, bool]:
    known = wanted.known
    if known.sha256 is not None and known.bytes is not None:
        entry = FileEntry(path=wanted.path, bytes=known.bytes, sha256=known.sha256)
        if target.has(entry):
            return entry, False
    with origin.content(wanted.source, wanted.commit, wanted.path) as content:
        entry = _checked(wanted, content)
        if target.has(entry):
            return entry, False
        target.bucket.put(target.model, target.revision, entry, content)
    return entry, True


def _checked(wanted: _Wanted, content: Path) -> FileEntry:
    check_content(content)
    selection.check_shards(content, wanted.path, wanted.beside)
    digest = sha256_of(content)
    if wanted.known.sha256 not in (None, digest):
        raise WeightsError(Path(wanted.path), f"SHA-256 {digest} came where the Hub says {wanted.known.sha256}")
    return FileEntry(path=wanted.path, bytes=content.stat().st_size, sha256=digest)
