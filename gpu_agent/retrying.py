"""Trying again: only what AWS or the network may do differently next time, and only while somebody may still care."""

import itertools
import time
from collections.abc import Callable
from typing import TypeVar

import httpx
from boto3.exceptions import Boto3Error, RetriesExceededError
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from gpu_agent.logs import logger
from gpu_agent.worker.failures import describe
from jobs.errors import FenceLost, WriteContention

RETRY_BASE_S = 0.5
RETRY_MAX_S = 10.0
SERVER_ERROR = 500

# Refusals below 500 that time puts right: docs.aws.amazon.com, "Retry behavior" of the SDKs, and credentials that the
# SDK is about to renew.
PASSING_CODES = frozenset(
    {
        "429",
        "BandwidthLimitExceeded",
        "ExpiredToken",
        "ExpiredTokenException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)

Answer = TypeVar("Answer")


class Hopeless(Exception):
    """Trying again would meet the same error for ever: `str()` says which, `__cause__` is it."""


def may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed later. A refusal (no permission, no bucket) or a missing file will not."""
    if isinstance(error, ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return status >= SERVER_ERROR or error.response["Error"]["Code"] in PASSING_CODES
    if isinstance(error, RetriesExceededError):
        return True  # a download whose connection broke time and again
    if isinstance(error, Boto3Error):  # a transfer's error wraps what happened
        cause = error.__cause__ or error.__context__
        return cause is None or may_pass(cause)
    if isinstance(error, ParamValidationError):
        return False
    return isinstance(error, BotoCoreError | httpx.HTTPError | ConnectionError | TimeoutError | WriteContention)


def insist(
    action: Callable[[], Answer], *, given_up: Callable[[int], bool], sleep: Callable[[float], None] = time.sleep
) -> Answer | None:
    """`action`'s answer, tried again through errors that may pass until `given_up(turn)`; None then.

    Raises FenceLost, and Hopeless at once for whatever may not pass.
    """
    for turn in itertools.count():
        if given_up(turn):
            return None
        try:
            return action()
        except FenceLost:
            raise
        except Exception as error:
            if not may_pass(error):
                raise Hopeless(describe(error)) from error
            logger.warning("call failed, trying again", extra={"turn": turn, "error": repr(error)})
            sleep(min(RETRY_MAX_S, RETRY_BASE_S * 2.0 ** min(turn, 10)))
    return None
