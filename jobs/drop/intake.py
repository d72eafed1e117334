"""A dropped object to jobs and a receipt. The same object delivered twice makes one job a prompt, and one receipt; so
does the same file dropped twice."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath

from jobs import aws, idempotency, items, s3_keys
from jobs.drop.entries import Entry, FileError
from jobs.drop.parse import MAX_FILE_BYTES, parse_file, too_large
from jobs.drop.receipt import Accepted, Receipt, ReceiptSource, Rejected, read_receipt, rejected
from jobs.errors import RequestError
from jobs.job import DEFAULT_OWNER, Source
from jobs.submit import Submitter


@dataclass(frozen=True, kw_only=True)
class DroppedObject:
    """One version of one object, as S3's event names it. `etag` is without quotes; `sequencer` says which of two
    versions is the later one."""

    bucket: str
    key: str
    version_id: str | None
    etag: str
    sequencer: str | None = None

    @property
    def identity(self) -> str:
        """The same in every delivery of the same drop."""
        parts = (self.bucket, self.key, self.version_id or "", self.etag)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Intake:
    """Takes in dropped objects."""

    submitter: Submitter
    table: str

    def take(self, dropped: DroppedObject) -> Receipt | None:
        """Read the object, submit its entries, write the receipt. None if this drop, or a later version of the file,
        was taken in before: events may come late and in any order. The file as it was dropped before keeps its jobs,
        and is tried again where it was rejected; the receipt is then that of the later version."""
        if self._is_done(dropped):
            return None
        standing = read_receipt(dropped.bucket, receipt_key(dropped))
        if standing is not None and _is_outdated(dropped, standing):
            return None
        same = standing if standing is not None and dropped.etag and standing.source.etag == dropped.etag else None
        receipt = Receipt(
            source=ReceiptSource(
                bucket=dropped.bucket,
                key=dropped.key,
                version_id=dropped.version_id,
                etag=dropped.etag,
                sequencer=dropped.sequencer,
            ),
            entries=tuple(self._entries(dropped, same)),
        )
        aws.s3().put_object(
            Bucket=dropped.bucket,
            Key=receipt_key(dropped),
            Body=receipt.model_dump_json(indent=2).encode(),
            ContentType="application/json",
        )
        self._done(dropped)
        return receipt

    def _entries(self, dropped: DroppedObject, same: Receipt | None) -> list[Accepted | Rejected]:
        """What becomes of each entry; `same` is the receipt of a drop with the same content."""
        try:
            check_path(dropped.key)
            entries = parse_file(dropped.key, _read(dropped))
        except FileError as unreadable:
            return [rejected(unreadable.line, unreadable.error)]
        on_line: Counter[int] = Counter()
        receipt: list[Accepted | Rejected] = []
        for entry in entries:
            on_line[entry.line] += 1
            nth = on_line[entry.line]
            made = None if same is None else same.job_at(entry.line, nth)
            receipt.append(
                self._submit(dropped, entry, nth) if made is None else Accepted(line=entry.line, job_id=made)
            )
        return receipt

    def _submit(self, dropped: DroppedObject, entry: Entry, nth: int) -> Accepted | Rejected:
        source = Source(
            door="drop_folder",
            bucket=dropped.bucket,
            key=dropped.key,
            version_id=dropped.version_id,
            etag=dropped.etag,
            line=entry.line,
            nth=nth,
        )
        if isinstance(entry.raw, RequestError):
            return rejected(entry.line, entry.raw)
        try:
            job = self.submitter.submit(
                entry.raw,
                owner=DEFAULT_OWNER,
                source=source,
                idempotency_key=f"drop:{dropped.identity}:{entry.line}:{nth}",
                texts=entry.texts,
                key_lifetime_s=idempotency.DELIVERY_LIFETIME_S,
            )
        except RequestError as error:
            return rejected(entry.line, error)
        return Accepted(line=entry.line, job_id=job.id)

    def _is_done(self, dropped: DroppedObject) -> bool:
        key = items.marshal(items.drop_key(dropped.identity))
        return "Item" in aws.dynamodb().get_item(TableName=self.table, Key=key, ConsistentRead=True)

    def _done(self, dropped: DroppedObject) -> None:
        expires_at = int(self.submitter.now() + idempotency.DELIVERY_LIFETIME_S)
        item = {**items.drop_key(dropped.identity), "key": dropped.key, "expires_at": expires_at}
        aws.dynamodb().put_item(TableName=self.table, Item=items.marshal(item))


def _is_outdated(dropped: DroppedObject, standing: Receipt) -> bool:
    """Whether the receipt that stands is that of a later version."""
    known = standing.source.sequencer
    if known is None or dropped.sequencer is None:
        return False
    # Hexadecimal numbers whose shorter one is to be filled up at its right (S3's guide, "Event message structure").
    digits = max(len(known), len(dropped.sequencer))
    return known.ljust(digits, "0") > dropped.sequencer.ljust(digits, "0")


def is_folder_marker(key: str) -> bool:
    """The empty object by which consoles show a folder: nobody's prompt."""
    return key.endswith("/")


def check_path(key: str) -> None:
    """Refuse paths that would not mean the same below `outbox/`. Raises FileError."""
    if any(part in {"", ".", ".."} for part in key.split("/")):
        raise FileError("A path with empty parts, '.' or '..' is not taken.", code="invalid_path")
    if any(not char.isprintable() for char in key):
        raise FileError("A path with control characters is not taken.", code="invalid_path")
    if len(s3_keys.receipt(key).encode()) > s3_keys.MAX_KEY_BYTES:
        raise FileError("The path is too long: its receipt's would be over S3's 1024 bytes.", code="invalid_path")


def receipt_key(dropped: DroppedObject) -> str:
    """Beside where the videos come; a path that cannot be mirrored has its receipt by the drop's identity."""
    try:
        check_path(dropped.key)
    except FileError:
        return s3_keys.rejected_receipt(dropped.identity)
    return s3_keys.receipt(dropped.key)


def _read(dropped: DroppedObject) -> bytes:
    """The object's bytes; nothing is read of one that is too large. Raises FileError."""
    from botocore.exceptions import ClientError

    version = {} if dropped.version_id is None else {"VersionId": dropped.version_id}
    try:
        answer = aws.s3().get_object(Bucket=dropped.bucket, Key=dropped.key, **version)  # type: ignore[arg-type]
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchKey", "NoSuchVersion", "404"}:
            raise
        name = PurePosixPath(dropped.key).name
        raise FileError(f"'{name}' was gone before it could be read.", code="file_not_found") from error
    with answer["Body"] as body:
        if answer["ContentLength"] > MAX_FILE_BYTES:
            raise too_large(answer["ContentLength"])
        return body.read()
