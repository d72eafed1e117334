"""Structured logs: JSON lines on standard output, with job and attempt on every line that is about a job."""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger

from jobs.job import Job

logger = Logger(service="gpu_agent")


@contextmanager
def about_job(job: Job, *, attempt: int | None = None) -> Iterator[None]:
    """Put job, attempt (by default the current one) and trace on every line that this thread logs in the block."""
    keys: dict[str, str | int] = {"job_id": job.id, "attempt": job.attempt if attempt is None else attempt}
    if job.trace_id is not None:
        keys["trace_id"] = job.trace_id
    logger.thread_safe_append_keys(**keys)
    try:
        yield
    finally:
        logger.thread_safe_remove_keys(list(keys))
