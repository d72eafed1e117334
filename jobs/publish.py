"""Puts events on the bus, in batches that EventBridge takes."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from jobs import aws
from jobs.events import EVENT_SOURCE, WEBHOOK_DISABLED, EventDetail, WebhookDisabledDetail

MAX_ENTRIES = 10  # PutEvents takes ten entries,
MAX_BYTES = 900_000  # and 1 MB with all of them
TRIES = 3


class PublishError(Exception):
    """EventBridge did not take some events, with its reasons."""


def publish(bus: str, details: Iterable[EventDetail]) -> None:
    """Put every event, in order. Raises PublishError once entries fail repeatedly."""
    for batch in batches([_entry(bus, detail.type.value, detail) for detail in details]):
        _put(batch)


def publish_disabled(bus: str, detail: WebhookDisabledDetail) -> None:
    """Tell that a webhook was disabled. Raises PublishError."""
    _put([_entry(bus, WEBHOOK_DISABLED, detail)])


def _entry(bus: str, detail_type: str, detail: BaseModel) -> dict[str, Any]:
    return {"EventBusName": bus, "Source": EVENT_SOURCE, "DetailType": detail_type, "Detail": detail.model_dump_json()}


def batches(entries: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The entries in order, at most ten and 900 kB at a time."""
    batch: list[dict[str, Any]] = []
    size = 0
    for entry in entries:
        weight = len(entry["Detail"].encode())
        if batch and (len(batch) == MAX_ENTRIES or size + weight > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += weight
    if batch:
        yield batch


def _put(batch: list[dict[str, Any]]) -> None:
    errors: list[Any] = []
    for _ in range(TRIES):
        answer = aws.events().put_events(Entries=batch)  # type: ignore[arg-type]
        if not answer["FailedEntryCount"]:
            return
        results = list(zip(batch, answer["Entries"], strict=True))
        errors = [result.get("ErrorMessage") for _, result in results if "ErrorCode" in result]
        batch = [entry for entry, result in results if "ErrorCode" in result]
    raise PublishError(json.dumps(errors))
