"""An S3 over real sockets (moto's server), tiny weights in the published layouts, and a machine's folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from moto.server import ThreadedMotoServer

from models.weights.bucket import WeightsBucket
from models.weights.origins import FolderOrigin
from models.weights.pull import pull
from tests.unit.models.weights.support import BUCKET, ROOT, SPEC, client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str) -> Iterator["S3Client"]:
    made = client(endpoint)
    made.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    yield made
    for page in made.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", []):
            made.delete_object(Bucket=BUCKET, Key=entry["Key"])
    made.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def bucket(s3: "S3Client") -> WeightsBucket:
    return WeightsBucket(s3, BUCKET, root=ROOT)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny Wan weights, two experts, as their publisher has them."""
    from models import tiny  # torch and diffusers: only where the fixture is used

    folder = tmp_path_factory.mktemp("published")
    tiny.wan(folder, two_experts=True)
    return folder


@pytest.fixture
def pulled(published: Path, bucket: WeightsBucket) -> Any:
    """The manifest after a pull from the folder."""
    return pull(SPEC, FolderOrigin(published), bucket, on_file=lambda file: None)
