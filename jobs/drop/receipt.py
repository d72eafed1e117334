"""The receipt of a dropped file: one entry a prompt, accepted or rejected (DESIGN.md has the contract)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from jobs import aws
from jobs.errors import RequestError


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReceiptSource(_Record):
    """The object, exactly: another version of it is another drop. `sequencer` is S3's order of a key's versions."""

    bucket: str
    key: str
    version_id: str | None
    etag: str
    sequencer: str | None = None


class ReceiptError(_Record):
    """Why an entry was rejected."""

    message: str
    param: str | None
    code: str


class Accepted(_Record):
    """A prompt that became a job."""

    line: int
    status: Literal["accepted"] = "accepted"
    job_id: str


class Rejected(_Record):
    """A prompt that did not."""

    line: int
    status: Literal["rejected"] = "rejected"
    error: ReceiptError


class Receipt(_Record):
    """What became of a dropped file. A file that cannot be read at all has one rejected entry."""

    version: Literal["1"] = "1"
    source: ReceiptSource
    entries: tuple[Accepted | Rejected, ...]

    def job_at(self, line: int, nth: int) -> str | None:
        """The job of the `nth` request (from 1) that begins on a line, if there is one and it was accepted."""
        on_line = [entry for entry in self.entries if entry.line == line]
        entry = on_line[nth - 1] if nth <= len(on_line) else None
        return entry.job_id if isinstance(entry, Accepted) else None


def read_receipt(bucket: str, receipt_key: str) -> Receipt | None:
    """A receipt, unless it is not there yet, or was taken away."""
    from botocore.exceptions import ClientError

    try:
        answer = aws.s3().get_object(Bucket=bucket, Key=receipt_key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    with answer["Body"] as body:
        return Receipt.model_validate_json(body.read(), extra="ignore")


def rejected(line: int, error: RequestError) -> Rejected:
    """The entry of a prompt that was refused."""
    return Rejected(line=line, error=ReceiptError(message=error.message, param=error.param, code=error.code))
