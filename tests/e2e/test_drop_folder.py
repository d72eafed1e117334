"""Second door: files put into `inbox/` with the stock AWS CLI; receipts and videos come back under `outbox/`."""

from __future__ import annotations

import json
import uuid
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.e2e.media import decode
from tests.e2e.studio import Studio, wait_until

FILES = {
    "one.txt": "a red circle moving right on a blue background\n",
    "script.md": "---\nmodel: wan-mini\nsize: 128x128\n---\n\n# A square travels\n\n"
    "## Shot 1\n\na red square moving right\n\n## Shot 2\n\na red square moving up\n",
    "list.json": '[\n  {"prompt": "a green star", "seconds": 1},\n  {"prompt": "a blue circle", "seconds": 1}\n]\n',
    "lines.jsonl": '{"prompt": "a yellow triangle", "seconds": 1}\n',
    "plan.yaml": "- prompt: um quadrado branco girando à direita\n  seconds: 1\n",
    "table.csv": "prompt,seconds\na red square,1\n",
}


def drop(studio: Studio, folder: Path, name: str, content: str) -> str:
    """Put one file with `aws s3 cp`; returns the outbox prefix where its answer will lie."""
    unique = f"e2e {uuid.uuid4().hex[:8]}"
    (folder / name).write_text(content, encoding="utf-8")
    studio.aws_cli("s3", "cp", str(folder / name), f"s3://{studio.media_bucket}/inbox/{unique}/{name}")
    return f"outbox/{unique}"


def read_object(studio: Studio, key: str) -> bytes | None:
    try:
        body: bytes = studio.aws("s3").get_object(Bucket=studio.media_bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    return body


def receipt(studio: Studio, prefix: str, name: str) -> dict[str, Any]:
    key = f"{prefix}/{name}.receipt.json"
    found: dict[str, Any] = json.loads(wait_until(lambda: read_object(studio, key), what=f"the receipt {key}"))
    return found


def test_every_format_gives_a_receipt_and_its_videos(studio: Studio, tmp_path: Path) -> None:
    prefixes = {name: drop(studio, tmp_path, name, content) for name, content in FILES.items()}

    for name, prefix in prefixes.items():
        entries = receipt(studio, prefix, name)["entries"]
        assert [entry["status"] for entry in entries] == ["accepted"] * len(entries), (name, entries)
        assert len(entries) == (2 if name == "list.json" else 1)
        for entry in entries:
            key = f"{prefix}/{name}.{entry['line']}.mp4"
            content = wait_until(partial(read_object, studio, key), timeout_s=300, what=key)
            assert decode(content).size == "128x128"


def test_broken_line_is_rejected_alone_with_its_number_and_reason(studio: Studio, tmp_path: Path) -> None:
    good = '{"prompt": "a red circle", "seconds": 1}'
    content = f'{good}\n{{not json\n\n{{"prompt": ""}}\n{good}\n'

    prefix = drop(studio, tmp_path, "mixed.jsonl", content)

    entries = receipt(studio, prefix, "mixed.jsonl")["entries"]
    assert [(entry["line"], entry["status"]) for entry in entries] == [
        (1, "accepted"),
        (2, "rejected"),
        (4, "rejected"),
        (5, "accepted"),
    ]
    assert entries[2]["error"]["param"] == "prompt"
    for line in (1, 5):
        key = f"{prefix}/mixed.jsonl.{line}.mp4"
        wait_until(partial(read_object, studio, key), what=key)


def test_same_object_delivered_twice_makes_one_job(studio: Studio, tmp_path: Path) -> None:
    prefix = drop(studio, tmp_path, "twice.txt", "a red circle, delivered twice")
    first = receipt(studio, prefix, "twice.txt")

    resend_object_created(studio, first["source"])

    before = first["entries"][0]["job_id"]
    jobs = [job.id for job in studio.openai().videos.list(limit=100) if job.prompt == "a red circle, delivered twice"]
    assert jobs == [before]
    assert receipt(studio, prefix, "twice.txt") == first


def resend_object_created(studio: Studio, source: dict[str, Any]) -> None:
    """Invoke the drop-folder function with the very event S3 would repeat, and wait for its answer."""
    functions = studio.aws("lambda")
    pages = functions.get_paginator("list_functions").paginate()
    names = [function["FunctionName"] for page in pages for function in page["Functions"]]
    (name,) = [name for name in names if "dropfolder" in name.lower().replace("-", "").replace("_", "")]
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "000000000000",
        "time": "2026-01-01T00:00:00Z",
        "region": studio.stack["region"],
        "resources": [],
        "detail": {
            "version": "0",
            "bucket": {"name": source["bucket"]},
            "object": {
                "key": source["key"],
                "size": 30,
                "etag": source["etag"].strip('"'),
                "version-id": source["version_id"],
                "sequencer": "1",
            },
            "reason": "CopyObject",
        },
    }
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    assert "FunctionError" not in answer, answer["Payload"].read()
