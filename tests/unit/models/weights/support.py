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
ROUNDED: ModelSpec = catalog.get("wan2.2-t2v-a14b")


def as_published(spec: ModelSpec) -> ModelSpec:
    sources = tuple(source.model_copy(update={"rounding": None}) for source in spec.weights.sources)
    return spec.model_copy(update={"weights": spec.weights.model_copy(update={"sources": sources})})


# The same, its files taken as they are: what most tests are about.
SPEC: ModelSpec = as_published(ROUNDED)


def client(endpoint: str) -> "S3Client":
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-2",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard", "max_attempts": 1}, max_pool_connections=50),
    )
