"""Files that come in, in the media bucket: uploads on their way, and what a job needs, kept under its content."""

import hashlib

from jobs import aws, s3_keys
from jobs.errors import RequestError
from jobs.ids import is_upload_id


class MediaBucket:
    """Keeps input files by content: the same file twice is one object."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket

    @staticmethod
    def digest(data: bytes) -> str:
        """What a file is named by."""
        return hashlib.sha256(data).hexdigest()

    def keep(self, data: bytes, extension: str, content_type: str) -> str:
        """Store a checked file. Returns its key."""
        key = s3_keys.input_file(self.digest(data), extension)
        aws.s3().put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=content_type)
        return key

    def copy(self, original: str, copy: str) -> None:
        """Copy an object within the bucket, so that the original may be deleted."""
        aws.s3().copy_object(CopySource={"Bucket": self.bucket, "Key": original}, Bucket=self.bucket, Key=copy)

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
