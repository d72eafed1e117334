"""Structured logs: JSON lines on standard output, with job and attempt on every line that is about a job."""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger

logger = Logger(service="gpu_agent")


@contextmanager
def about_job(job_id: str, attempt: int, trace_id: str | None = None) -> Iterator[None]:
    """Put job and attempt on every line that this thread logs inside the block."""
    keys = {"job_id": job_id, "attempt": attempt, **({"trace_id": trace_id} if trace_id else {})}
    logger.thread_safe_append_keys(**keys)
    try:
        yield
    finally:
        logger.thread_safe_remove_keys(list(keys))
