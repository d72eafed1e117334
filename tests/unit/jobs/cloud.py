"""A fake AWS (moto, in process) with what the deployment makes: table, queues, bucket, bus, group."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

from jobs import aws
from jobs.queue import queue_name
from lambdas import services

TABLE, BUCKET, BUS, PREFIX, GROUP = "studio", "media", "revalida-video", "revalida-test", "fleet"
MODELS = ("wan-mini", "wan-mini-i2v", "holocine-mini", "wan2.2-t2v-a14b")
ENVIRONMENT = {
    "REVALIDA_STAGE": "test",
    "REVALIDA_TABLE": TABLE,
    "REVALIDA_MEDIA_BUCKET": BUCKET,
    "REVALIDA_EVENT_BUS": BUS,
    "REVALIDA_QUEUE_PREFIX": PREFIX,
    "REVALIDA_ASG_NAME": GROUP,
    "REVALIDA_INSTANCE_TYPES": json.dumps(["local"]),
    "REVALIDA_DEFAULT_MODEL": "wan-mini",
    "REVALIDA_TARGET_BACKLOG_S": "120",
    "REVALIDA_SLOTS_PER_INSTANCE": "1",
    "REVALIDA_MAX_INSTANCES": "2",
    "REVALIDA_LATENCY_TARGET_S": "60",
    "REVALIDA_MAX_USD_PER_HOUR": "10",
    "REVALIDA_MAX_USD_PER_MONTH": "1500",
    "REVALIDA_VCPUS_PER_INSTANCE": "48",
    "REVALIDA_SPOT_VCPU_QUOTA": "96",
    "REVALIDA_ON_DEMAND_ASG_NAME": "",
    "REVALIDA_ON_DEMAND_VCPU_QUOTA": "48",
    "REVALIDA_ON_DEMAND_TYPES": json.dumps(["g5.12xlarge"]),
    "REVALIDA_INSTANCE_USD_PER_HOUR": json.dumps({"g5.12xlarge": 4.0}),
    "REVALIDA_STARVE_AFTER_S": "600",
    "REVALIDA_RETRY_SPOT_AFTER_S": "1800",
    "REVALIDA_LAUNCH_RESERVE_S": "3600",
    "REVALIDA_MOVE_LEAST_S": "600",
    "REVALIDA_RESEND_AFTER_S": "120",
    "REVALIDA_MAX_WAIT_S": "604800",
    "REVALIDA_UPLOAD_RETENTION_S": "172800",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-2",
    "POWERTOOLS_TRACE_DISABLED": "true",
}


class Cloud:
    """Looks into the fake AWS from outside."""

    def __init__(self) -> None:
        self.s3 = boto3.client("s3")
        self.sqs = boto3.client("sqs")
        self.dynamodb = boto3.client("dynamodb")

    def messages(self, model: str = "wan-mini") -> list[dict[str, Any]]:
        """The bodies in a model's queue; they are taken out."""
        url = self.sqs.get_queue_url(QueueName=queue_name(PREFIX, model))["QueueUrl"]
        found = []
        while batch := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def put(self, key: str, body: bytes) -> dict[str, Any]:
        """Put an object; returns the event that S3 sends for it."""
        answer = self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        item = {"key": key, "size": len(body), "etag": answer["ETag"].strip('"')}
        return {
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": BUCKET}, "object": item},
        }

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def object_keys(self, prefix: str = "") -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]


@contextmanager
def fake_cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The deployment's resources in a fresh fake AWS, and the environment that the functions get."""
    _one_call_at_a_time(monkeypatch)
    with mock_aws(), resources(monkeypatch, endpoint_url=None) as made:
        yield made


@contextmanager
def resources(monkeypatch: pytest.MonkeyPatch, *, endpoint_url: str | None) -> Iterator[Cloud]:
    """The same in the fake AWS at `endpoint_url`, or in the one of this process."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    if endpoint_url is None:
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    else:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint_url)
    _forget()
    _make_table()
    boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    boto3.client("events").create_event_bus(Name=BUS)
    for name in (*(queue_name(PREFIX, model) for model in MODELS), f"{PREFIX}-jobs-dead"):
        boto3.client("sqs").create_queue(QueueName=name)
    yield Cloud()
    _forget()


def _one_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto is not made for threads; AWS does each call as a whole, and so does it here. Callers still interleave."""
    lock, call = threading.RLock(), BaseClient._make_api_call  # type: ignore[attr-defined]

    def locked(self: BaseClient, operation: str, parameters: Any) -> Any:
        with lock:
            return call(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", locked)


def _forget() -> None:
    aws.forget_clients()
    services.forget()


def _make_table() -> None:
    names = ("pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk")
    boto3.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=_keys("pk", "sk"),
        GlobalSecondaryIndexes=[
            {"IndexName": "by_owner", "KeySchema": _keys("gsi1pk", "gsi1sk"), "Projection": {"ProjectionType": "ALL"}},
            {"IndexName": "by_state", "KeySchema": _keys("gsi2pk", "gsi2sk"), "Projection": {"ProjectionType": "ALL"}},
        ],
    )


def _keys(partition: str, sort: str) -> Any:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
