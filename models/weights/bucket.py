"""The weights in the bucket: `weights/<model>/<revision>/<file>`, with `manifest.json` beside them, written last."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from models.interface import WeightsError
from models.weights import manifest as manifests
from models.weights.errors import WeightsUnavailable
from models.weights.manifest import MANIFEST, FileEntry, Manifest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

# Metadata of each object: whether a pull that goes on has to send it again, or even to download it.
_DIGEST, _PUBLISHED_DIGEST = "sha256", "published-sha256"
_BLOCK_BYTES = 2**20


class Stored(NamedTuple):
    """A whole set of weights: its manifest's time decides between revisions."""

    model: str
    revision: str
    written_at: datetime


class Place(NamedTuple):
    """Where a set has a file."""

    model: str
    revision: str
    file: FileEntry


class WeightsBucket:
    """Reads and writes below `root` (`weights/`). Every failure of S3 is raised as `WeightsUnavailable`."""

    def __init__(self, s3: "S3Client", bucket: str, *, root: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._root = root

    def stored(self, model: str | None = None) -> list[Stored]:
        """The whole sets there are, of one model or of all, oldest first. Half-finished pulls have no manifest."""
        found: list[Stored] = []
        prefix = f"{self._root}{model}/" if model else self._root
        with self._answering(prefix):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    parts = entry["Key"].removeprefix(self._root).split("/")
                    if len(parts) == 3 and parts[2] == MANIFEST:
                        found.append(Stored(parts[0], parts[1], entry["LastModified"]))
        return sorted(found, key=lambda stored: (stored.written_at, stored.revision))

    def manifest(self, model: str, revision: str) -> Manifest:
        """Raises `WeightsError` for a damaged one."""
        key = self._key(model, revision, MANIFEST)
        with self._answering(key):
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return manifests.parse(body, name=Path(key))

    def put_manifest(self, manifest: Manifest) -> None:
        """Declares the set whole."""
        key = self._key(manifest.model, manifest.revision, MANIFEST)
        with self._answering(key):
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=manifest.model_dump_json(indent=1).encode())

    def has(self, model: str, revision: str, file: FileEntry) -> bool:
        """Whether this very content was put there before."""
        found = self.file_at(model, revision, file.path)
        return found is not None and (found.bytes, found.sha256) == (file.bytes, file.sha256)

    def file_at(self, model: str, revision: str, path: str) -> FileEntry | None:
        """What was put there, if anything was."""
        key = self._key(model, revision, path)
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                return None
            raise WeightsUnavailable(f"{key}: {error}") from error
        except BotoCoreError as error:
            raise WeightsUnavailable(f"{key}: {error}") from error
        digest, published = (head["Metadata"].get(name) for name in (_DIGEST, _PUBLISHED_DIGEST))
        if digest is None:
            return None
        return FileEntry(path=path, bytes=head["ContentLength"], sha256=digest, published_sha256=published)

    def places_by_digest(self) -> dict[str, Place]:
        """A place of each file of all whole sets, by SHA-256. Sets with a damaged manifest are left out."""
        places: dict[str, Place] = {}
        for stored in self.stored():
            try:
                files = self.manifest(stored.model, stored.revision).files
            except WeightsError:
                continue
            places |= {file.sha256: Place(stored.model, stored.revision, file) for file in files}
        return places

    def copy(self, source: Place, model: str, revision: str, file: FileEntry) -> None:
        """Copies a file of another set within S3: nothing passes through this machine."""
        key = self._key(source.model, source.revision, source.file.path)
        copied: CopySourceTypeDef = {"Bucket": self._bucket, "Key": key}
        extra = {"Metadata": _metadata(file), "MetadataDirective": "REPLACE"}
        with self._answering(key):
            self._s3.copy(copied, self._bucket, self._key(model, revision, file.path), ExtraArgs=extra)

    def put(self, model: str, revision: str, file: FileEntry, content: Path) -> None:
        """Sends a file, large ones in parts; a failure leaves no parts behind."""
        key = self._key(model, revision, file.path)
        with self._answering(key):
            self._s3.upload_file(str(content), self._bucket, key, ExtraArgs={"Metadata": _metadata(file)})

    def read_range(
        self, model: str, revision: str, path: str, *, start: int, length: int, write: Callable[[bytes, int], None]
    ) -> None:
        """Hands the bytes `start` to `start + length` to `write(block, offset)` as they come."""
        key = self._key(model, revision, path)
        with self._answering(key):
            wanted = f"bytes={start}-{start + length - 1}"
            body = self._s3.get_object(Bucket=self._bucket, Key=key, Range=wanted)["Body"]
            offset = start
            for block in body.iter_chunks(_BLOCK_BYTES):
                write(block, offset)
                offset += len(block)
        if offset != start + length:
            raise WeightsUnavailable(f"{key}: {offset - start} bytes came where {length} were asked for")

    def _key(self, model: str, revision: str, path: str) -> str:
        return f"{self._root}{model}/{revision}/{path}"

    @contextmanager
    def _answering(self, what: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error) as error:
            raise WeightsUnavailable(f"s3://{self._bucket}/{what}: {error}") from error


def _metadata(file: FileEntry) -> dict[str, str]:
    digests = {_DIGEST: file.sha256, _PUBLISHED_DIGEST: file.published_sha256}
    return {name: digest for name, digest in digests.items() if digest is not None}
