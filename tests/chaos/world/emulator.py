"""A local AWS of a test's own: the emulator that `make run` uses, on a free port, with the table, bucket and queues."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx

from jobs.fleet import FleetStore
from jobs.queue import JobQueues, queue_name
from jobs.store import JobStore

REPOSITORY = Path(__file__).resolve().parents[3]
REGION = "us-east-2"
START_LIMIT_S = 60.0
TABLE = "jobs"
BUCKET = "media"
PREFIX = "chaos"
GROUP = "fleet"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, kw_only=True)
class LocalAws:
    """`endpoint` is where every client of the test speaks to the emulator itself."""

    endpoint: str

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def store(self) -> JobStore:
        return JobStore(TABLE, client=self.client("dynamodb"))

    def queues(self) -> JobQueues:
        return JobQueues(PREFIX, client=self.client("sqs"))

    def fleet(self) -> FleetStore:
        return FleetStore(TABLE, client=self.client("dynamodb"))


@contextmanager
def local_aws(directory: Path, *, models: Iterable[str] = ("wan-mini",)) -> Iterator[LocalAws]:
    """The emulator with the resources that an agent needs, as cdk/ makes them; ended with the block."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "aws.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.emulator"], cwd=REPOSITORY, env=environment, stdout=log, stderr=log
        )
    try:
        aws = LocalAws(endpoint=f"http://127.0.0.1:{port}")
        _wait_until_up(aws.endpoint, process)
        _make_resources(aws, models)
        yield aws
    finally:
        process.kill()
        process.wait()


def _wait_until_up(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    limit_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit_s:
        assert process.poll() is None, "the emulator ended"
        try:
            if httpx.get(f"{endpoint}/_ministack/health", timeout=2, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the emulator did not come up")


def _make_resources(aws: LocalAws, models: Iterable[str]) -> None:
    keys = ("pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk")
    aws.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=_key_schema("pk", "sk"),
        GlobalSecondaryIndexes=[
            {"IndexName": name, "KeySchema": _key_schema(*pair), "Projection": {"ProjectionType": "ALL"}}
            for name, pair in {"by_owner": ("gsi1pk", "gsi1sk"), "by_state": ("gsi2pk", "gsi2sk")}.items()
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    sqs = aws.client("sqs")
    for model in models:
        sqs.create_queue(QueueName=queue_name(PREFIX, model), Attributes={"VisibilityTimeout": "60"})


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
