"""What a drop gets back: videos, thumbnails and results beside the receipt."""

from jobs import aws, s3_keys
from jobs.drop.receipt import Receipt, read_receipt
from jobs.job import Job
from jobs.view import video_view


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
            # One call: S3 copies objects of up to 5 GB so, and no video here comes near.
            aws.s3().copy_object(
                CopySource={"Bucket": job.outputs.bucket, "Key": original}, Bucket=source.bucket, Key=copy
            )
            written.append(copy)
    # Last: who sees the result finds the video there.
    result = s3_keys.outbox_result(source.key, source.line, source.nth, "json")
    body = video_view(job).model_dump_json(indent=2).encode()
    aws.s3().put_object(Bucket=source.bucket, Key=result, Body=body, ContentType="application/json")
    return [*written, result]


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
    base = s3_keys.outbox_base(source.key)
    written: list[str] = []
    if job.outputs is not None:
        copy = f"{base}sample.mp4"
        aws.s3().copy_object(
            CopySource={"Bucket": job.outputs.bucket, "Key": job.outputs.video}, Bucket=source.bucket, Key=copy
        )
        written.append(copy)
    result = f"{base}character.json"
    body = video_view(job).model_dump_json(indent=2).encode()
    aws.s3().put_object(Bucket=source.bucket, Key=result, Body=body, ContentType="application/json")
    return [*written, result]
