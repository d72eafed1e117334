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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, kw_only=True)
class LocalAws:
    """`endpoint` is where every client of the test speaks to the emulator itself; `prefix` is that of the queues."""

    endpoint: str
    prefix: str
    table: str
    bucket: str

    @classmethod
    def named(cls, endpoint: str, prefix: str) -> "LocalAws":
        """A world of its own within one emulator; `make_resources` makes what it names."""
        return cls(endpoint=endpoint, prefix=prefix, table=f"{prefix}-jobs", bucket=f"{prefix}-media")

    @property
    def dead_letters(self) -> str:
        return f"{self.prefix}-jobs-dead"

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def store(self) -> JobStore:
        return JobStore(self.table, client=self.client("dynamodb"))

    def queues(self) -> JobQueues:
        return JobQueues(self.prefix, client=self.client("sqs"))

    def fleet(self) -> FleetStore:
        return FleetStore(self.table, client=self.client("dynamodb"))


@contextmanager
def emulator(directory: Path) -> Iterator[str]:
    """The endpoint of a running emulator; it ends with the block."""
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
        endpoint = f"http://127.0.0.1:{port}"
        _wait_until_up(endpoint, process)
        yield endpoint
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


def make_resources(aws: LocalAws, *, models: Iterable[str] = ("wan-mini",)) -> None:
    """The table, bucket and queues that an agent needs, as cdk/ makes them."""
    keys = ("pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk")
    aws.client("dynamodb").create_table(
        TableName=aws.table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=_key_schema("pk", "sk"),
        GlobalSecondaryIndexes=[
            {"IndexName": name, "KeySchema": _key_schema(*pair), "Projection": {"ProjectionType": "ALL"}}
            for name, pair in {"by_owner": ("gsi1pk", "gsi1sk"), "by_state": ("gsi2pk", "gsi2sk")}.items()
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    aws.client("s3").create_bucket(Bucket=aws.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    sqs = aws.client("sqs")
    sqs.create_queue(QueueName=aws.dead_letters)
    for model in models:
        sqs.create_queue(QueueName=queue_name(aws.prefix, model), Attributes={"VisibilityTimeout": "60"})


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
