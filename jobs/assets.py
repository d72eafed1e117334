"""Removes what a job left in the media bucket."""

from jobs import aws, s3_keys
from jobs.job import Job


def delete_assets(bucket: str, job_id: str) -> int:
    """Delete videos and checkpoints of all attempts. Returns how many objects there were."""
    return sum(
        delete_below(bucket, prefix) for prefix in (s3_keys.job_prefix(job_id), s3_keys.checkpoint_prefix(job_id))
    )


def delete_inputs(bucket: str, job: Job) -> None:
    """Delete the image or video that was kept for the job."""
    for key in s3_keys.own_inputs(job.request):
        aws.s3().delete_object(Bucket=bucket, Key=key)


def delete_below(bucket: str, prefix: str) -> int:
    """Delete every object whose key begins so. Returns how many there were."""
    deleted = 0
    for page in aws.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        keys = [item["Key"] for item in page.get("Contents", [])]
        if keys:
            # A page has a thousand keys at most, and so does one call.
            aws.s3().delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True})
            deleted += len(keys)
    return deleted
