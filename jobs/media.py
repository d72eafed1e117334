"""Files that come in, in the media bucket: uploads on their way, and what a job is made from, kept for it alone."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from jobs import aws, s3_keys
from jobs.errors import RequestError
from jobs.ids import is_upload_id, new_input_id

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CopySourceTypeDef


class MediaBucket:
    """Keeps input files, each for one job: the same file for two jobs is two objects, so that each goes with its job.

    A file is kept before its job has an id. So it has one of its own, and the job's record leads to it."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket

    def file(self, data: bytes, extension: str, content_type: str) -> tuple[str, Callable[[], None]]:
        """A key for a checked file, and the call that stores it there."""
        key = s3_keys.input_file(new_input_id(), extension)

        def keep() -> None:
            aws.s3().put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=content_type)

        return key, keep

    def copy_of(self, original: str) -> tuple[str, Callable[[], None]]:
        """A key for another job's copy of an object, and the call that makes it."""
        key = s3_keys.input_file(new_input_id(), original.rpartition(".")[2])
        return key, lambda: self.copy(original, key)

    def copy(self, original: str, copy: str) -> None:
        """Copy an object within the bucket, so that the original may be deleted. Raises RequestError if it has been."""
        from botocore.exceptions import ClientError

        source: CopySourceTypeDef = {"Bucket": self.bucket, "Key": original}
        try:
            aws.s3().copy_object(CopySource=source, Bucket=self.bucket, Key=copy)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"404", "NoSuchKey"}:
                raise
            message = "The file that this would be made from is not there any more."
            raise RequestError(message, code="source_not_found") from error

    def uploaded(self, upload_id: str, *, owner: str, max_bytes: int, param: str) -> bytes:
        """What the owner put at an upload's URL. Raises RequestError: nothing there, or too large."""
        from botocore.exceptions import ClientError

        if not is_upload_id(upload_id):
            raise _no_upload(param)
        key = s3_keys.upload(owner, upload_id)
        try:
            answer = aws.s3().get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                raise _no_upload(param) from error
            raise
        if answer["ContentLength"] > max_bytes:
            message = f"Invalid '{param}': the upload has {answer['ContentLength']} bytes; the limit is {max_bytes}."
            raise RequestError(message, param=param, code="file_too_large")
        return answer["Body"].read()


def _no_upload(param: str) -> RequestError:
    message = f"Invalid '{param}': no file has been uploaded under this id (uploads are kept for a few days)."
    return RequestError(message, param=param, code="upload_not_found")
