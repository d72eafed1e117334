"""What a drop gets back: videos, thumbnails and results beside the receipt."""

from pathlib import PurePosixPath

from jobs import aws, s3_keys
from jobs.drop.receipt import Receipt, read_receipt
from jobs.job import Job
from jobs.view import video_view

_CHARACTER_FILES = ("sample.mp4", "character.json")
_JOB = "job-id"  # what is delivered says whose it is: a place below `outbox/` may have been another job's before


def deliver(job: Job) -> list[str]:
    """Copy an ended job's video and thumbnail below `outbox/` and write its result file. Returns the keys written.

    Safe to repeat: the same job writes the same keys. Nothing is written for a job of another door, and for one whose
    file was dropped again, changed, if a later job makes what belongs in its place."""
    source = job.source
    if job.training is not None:
        return _deliver_character(job)
    if source.bucket is None or source.key is None or source.line is None:
        return []
    if _is_superseded(job.id, read_receipt(source.bucket, s3_keys.receipt(source.key)), source.line, source.nth):
        return []
    written: list[str] = []
    if job.outputs is not None:
        suffix = job.outputs.video.rpartition(".")[2]
        copies = (
            (job.outputs.video, s3_keys.outbox_result(source.key, source.line, source.nth, suffix)),
            (job.outputs.thumbnail, s3_keys.outbox_result(source.key, source.line, source.nth, "jpg")),
        )
        for original, copy in copies:
            _copy(job, job.outputs.bucket, original, source.bucket, copy)
            written.append(copy)
    # Last: who sees the result finds the video there.
    result = s3_keys.outbox_result(source.key, source.line, source.nth, "json")
    _put(job, source.bucket, result)
    return [*written, result]


def withdraw(job: Job) -> list[str]:
    """Delete what was delivered of a job; what another one has put in its place stays. Returns the keys deleted."""
    bucket = job.source.bucket
    if bucket is None:
        return []
    own = [place for place in _places(job) if (aws.metadata(bucket, place) or {}).get(_JOB) == job.id]
    for place in own:
        aws.s3().delete_object(Bucket=bucket, Key=place)
    return own


def _places(job: Job) -> list[str]:
    """Where a job's results may have been delivered to."""
    key, line = job.source.key, job.source.line
    if key is not None and job.training is not None:
        return [f"{s3_keys.outbox_base(key)}{name}" for name in _CHARACTER_FILES]
    if key is None or line is None:
        return []
    return [s3_keys.outbox_result(key, line, job.source.nth, suffix) for suffix in ("mp4", "mov", "jpg", "json")]


def _copy(job: Job, from_bucket: str, original: str, bucket: str, copy: str) -> None:
    """One call: S3 copies objects of up to 5 GB so, and no video here comes near."""
    aws.s3().copy_object(
        CopySource={"Bucket": from_bucket, "Key": original},
        Bucket=bucket,
        Key=copy,
        MetadataDirective="REPLACE",  # else it would be that of the original
        Metadata={_JOB: job.id},
        ContentType=s3_keys.CONTENT_TYPES[PurePosixPath(copy).suffix],
    )


def _put(job: Job, bucket: str, result: str) -> None:
    """The result file: the job as the API shows it."""
    body = video_view(job).model_dump_json(indent=2).encode()
    aws.s3().put_object(Bucket=bucket, Key=result, Body=body, ContentType="application/json", Metadata={_JOB: job.id})


def _is_superseded(job_id: str, receipt: Receipt | None, line: int, nth: int) -> bool:
    """Whether the receipt names a later job (ids sort by time) in this one's place. It may name an earlier one: it is
    written when all jobs of a file are there, and the first of them may have ended by then."""
    there = None if receipt is None else receipt.job_at(line, nth)
    return there is not None and there > job_id


def _deliver_character(job: Job) -> list[str]:
    """An ended training of a dropped folder: the video that shows it, and the job as `character.json`."""
    source = job.source
    if source.bucket is None or source.key is None:
        return []
    copy, result = (f"{s3_keys.outbox_base(source.key)}{name}" for name in _CHARACTER_FILES)
    written: list[str] = []
    if job.outputs is not None:
        _copy(job, job.outputs.bucket, job.outputs.video, source.bucket, copy)
        written.append(copy)
    _put(job, source.bucket, result)
    return [*written, result]
