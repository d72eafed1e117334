"""What the tests and the processes that they start share: no torch, no server."""

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from models import catalog
from models.catalog import ModelSpec

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A name of its own: moto keeps one state a process, and other tests leave their buckets in it.
BUCKET, ROOT = "weights-media", "weights/"
SPEC: ModelSpec = catalog.get("wan2.2-t2v-a14b")


def client(endpoint: str) -> "S3Client":
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-2",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard", "max_attempts": 1}, max_pool_connections=50),
    )
