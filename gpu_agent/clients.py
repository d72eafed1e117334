"""The agent's AWS clients. A call that hangs must fail well before a lease runs out, so the timeouts are short."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

CONNECT_TIMEOUT_S = 3
CALL_TIMEOUT_S = 6
BULK_TIMEOUT_S = 20
MAX_CONNECTIONS = 50  # slots, leases and uploads share the clients


@dataclass(frozen=True, kw_only=True)
class Clients:
    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"
    s3: "S3Client"
    autoscaling: "AutoScalingClient"


def connect(*, poll_wait_s: int) -> Clients:
    """Clients for this process. `poll_wait_s` is SQS's long poll, which comes on top of a call's own time."""
    return Clients(
        dynamodb=_client("dynamodb", read_timeout_s=CALL_TIMEOUT_S),
        sqs=_client("sqs", read_timeout_s=CALL_TIMEOUT_S + poll_wait_s),
        s3=_client("s3", read_timeout_s=BULK_TIMEOUT_S, signature_version="s3v4"),
        autoscaling=_client("autoscaling", read_timeout_s=BULK_TIMEOUT_S),
    )


def bulk_s3(*, read_timeout_s: float) -> "S3Client":
    """An S3 client for large reads over many connections at once."""
    client: S3Client = _client("s3", read_timeout_s=read_timeout_s, signature_version="s3v4")
    return client


def ec2() -> Any:
    """Untyped: of EC2's hundreds of calls, one is used, once."""
    return _client("ec2", read_timeout_s=BULK_TIMEOUT_S)


def _client(service: str, *, read_timeout_s: float, **options: Any) -> Any:
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "max_attempts": 3},
        max_pool_connections=MAX_CONNECTIONS,
        **options,
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload]
