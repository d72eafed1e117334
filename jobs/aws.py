"""AWS clients, made on first use and kept, so that imports stay light. botocore itself honours `AWS_ENDPOINT_URL`."""

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


@cache
def _client(service: str) -> Any:
    import boto3  # 100 ms and more of CPU: only where a client is needed
    from botocore.config import Config

    config = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60)
    if service == "s3":
        # Presigned URLs must carry SigV4 to work in every region, and name the bucket's host in its region: the
        # console's policy lets no other in. At an endpoint that is an IP address botocore leaves the host alone.
        config = config.merge(
            Config(
                signature_version="s3v4",
                s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
            )
        )
    return boto3.client(service, config=config)  # type: ignore[call-overload]


def dynamodb() -> "DynamoDBClient":
    return _client("dynamodb")  # type: ignore[no-any-return]


def sqs() -> "SQSClient":
    return _client("sqs")  # type: ignore[no-any-return]


def s3() -> "S3Client":
    return _client("s3")  # type: ignore[no-any-return]


def exists(bucket: str, key: str) -> bool:
    """Whether there is such an object."""
    return metadata(bucket, key) is not None


def metadata(bucket: str, key: str) -> dict[str, str] | None:
    """What its writer has said of an object; None where there is no such object."""
    from botocore.exceptions import ClientError

    try:
        return s3().head_object(Bucket=bucket, Key=key)["Metadata"]
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
            return None
        raise


def events() -> "EventBridgeClient":
    return _client("events")  # type: ignore[no-any-return]


def autoscaling() -> "AutoScalingClient":
    return _client("autoscaling")  # type: ignore[no-any-return]


def ec2() -> Any:
    """Untyped: of EC2's hundreds of calls, one is used."""
    return _client("ec2")


def forget_clients() -> None:
    """Drop every client, for tests that change the endpoint or the credentials."""
    _client.cache_clear()
