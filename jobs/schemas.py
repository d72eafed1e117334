"""Schemas and examples of events and receipts, made from the models: `python -m jobs.schemas` writes `docs/events/`."""

import json
import sys
from pathlib import Path
from typing import Any

from jobs.drop.receipt import Accepted, Receipt, ReceiptSource, rejected
from jobs.errors import RequestError
from jobs.events import (
    EVENT_SOURCE,
    REQUESTED,
    WEBHOOK_DISABLED,
    EventDetail,
    EventType,
    RequestedDetail,
    WebhookDisabledDetail,
    changes,
)
from jobs.job import Estimate, Job, JobError, Outputs, Source
from jobs.request import VideoRequest
from jobs.s3_keys import asset
from jobs.states import State
from jobs.transitions import cancel, claim, complete, fail, heartbeat, interrupt

FOLDER = Path(__file__).parents[1] / "docs" / "events"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_JOB_ID = "video_01KAVZ3D7Q8YB5N2M4T6W9XECR"
_BUCKET = "revalida-media"
_T0 = 1_790_000_000.0
_USD_PER_HOUR = 0.425  # of one of the four slots of a g5.12xlarge on Spot


def files() -> dict[str, str]:
    """File names and what they hold."""
    found = {
        "video-requested.schema.json": _schema(RequestedDetail.model_json_schema(mode="validation")),
        "receipt.schema.json": _schema(Receipt.model_json_schema(mode="serialization")),
        "receipt.example.json": _text(_receipt().model_dump(mode="json")),
        "video-requested.example.json": _text(_requested()),
        "webhook-disabled.schema.json": _schema(WebhookDisabledDetail.model_json_schema(mode="serialization")),
        "webhook-disabled.example.json": _text(_disabled()),
    }
    for kind, event in examples().items():
        found[f"video-{kind.word}.schema.json"] = _schema(_detail_schema(kind))
        found[f"video-{kind.word}.example.json"] = _text(event)
    return found


def examples() -> dict[EventType, dict[str, Any]]:
    """One event of each type, as a rule's target gets it: a job that was interrupted once, with three ends."""
    queued = _queued()
    started = _claimed(queued, "i-0a1b2c3d", _T0 + 20)
    stepped = _beat(started, 1, 4, _T0 + 40)
    interrupted = interrupt(stepped, 1, checkpoint_step=4, reason="spot interruption", now=_T0 + 45)
    resumed = _claimed(interrupted, "i-0e4f5a6b", _T0 + 200)
    last = _beat(resumed, 2, 8, _T0 + 230)
    ends = [
        complete(last, 2, outputs=_outputs(), seconds_by_phase={"denoise": 41.5}, cost_usd=0.0098, now=_T0 + 236),
        fail(last, 2, JobError(code="out_of_memory", message="The video does not fit the GPU."), now=_T0 + 236),
    ]
    story: list[tuple[Job | None, Job]] = [(None, queued), (queued, started), (started, stepped)]
    story += [(stepped, interrupted), (interrupted, resumed), *((last, end) for end in ends)]
    story.append((queued, cancel(queued, now=_T0 + 5)))
    return {
        detail.type: _event(detail.type, detail.model_dump(mode="json"))
        for old, new in story
        for detail in changes(old, new)
    }


def _detail_schema(kind: EventType) -> dict[str, Any]:
    """The detail of one type of event."""
    schema = EventDetail.model_json_schema(mode="serialization")
    schema["title"] = kind.value
    schema["properties"]["type"] = {"const": kind.value, "title": "Type", "type": "string"}
    del schema["$defs"]["EventType"]
    return schema


def _claimed(job: Job, instance_id: str, now: float) -> Job:
    return claim(job, instance_id=instance_id, slot="A10Gx1", lease_s=60, usd_per_hour=_USD_PER_HOUR, now=now)


def _beat(job: Job, attempt: int, step: int, now: float) -> Job:
    return heartbeat(job, attempt, lease_s=60, step=step, total_steps=8, phase="denoise", checkpoint_step=step, now=now)


def _queued() -> Job:
    request = VideoRequest(
        model="wan-mini",
        prompt="um círculo vermelho se move para a direita",
        size="128x128",
        num_frames=33,
        fps=16,
        seed=7,
        num_inference_steps=8,
        guidance_scale=3.0,
        metadata={"scene": "12"},
    )
    return Job(
        id=_JOB_ID,
        owner="default",
        status=State.QUEUED,
        trace_id="1-6ab13b80-5f2c8d1e4a7b9c3d6e0f1a2b",
        request=request,
        source=Source(door="api"),
        created_at=_T0,
        updated_at=_T0,
        queued_at=_T0,
        estimate=Estimate(slot="A10Gx1", seconds=40.0, load_s=2.0, cost_usd=0.005),
    )


def _outputs() -> Outputs:
    return Outputs(
        bucket=_BUCKET,
        video=asset(_JOB_ID, 2, "video"),
        thumbnail=asset(_JOB_ID, 2, "thumbnail"),
        spritesheet=asset(_JOB_ID, 2, "spritesheet"),
        width=128,
        height=128,
        num_frames=33,
        fps=16,
        bytes=41_234,
        seconds=2.0625,
    )


def _requested() -> dict[str, Any]:
    detail = {"version": "1", "request_id": "order-4711", "model": "wan-mini", "prompt": "a blue square"}
    return {"source": "my.application", "detail-type": REQUESTED, "detail": detail}


def _disabled() -> dict[str, Any]:
    webhook_id = "whe_01KAVZ3D7Q8YB5N2M4T6W9XECR"
    detail = WebhookDisabledDetail(
        event_id=f"{webhook_id}:disabled:{int(_T0)}",
        owner="default",
        webhook_id=webhook_id,
        url="https://example.org/hooks/video",
        reason="Every delivery failed for 5 days.",
        failing_since=int(_T0),
    )
    return {"source": EVENT_SOURCE, "detail-type": WEBHOOK_DISABLED, "detail": detail.model_dump(mode="json")}


def _event(kind: EventType, detail: dict[str, Any]) -> dict[str, Any]:
    return {"source": EVENT_SOURCE, "detail-type": kind.value, "detail": detail}


def _receipt() -> Receipt:
    refused = RequestError("Unknown parameter: 'sed'.", param="sed", code="unknown_parameter")
    source = ReceiptSource(bucket=_BUCKET, key="inbox/campaign/prompts.jsonl", version_id=None, etag="9b2cf535f27731c9")
    return Receipt(source=source, entries=(Accepted(line=1, job_id=_JOB_ID), rejected(2, refused)))


def _schema(schema: dict[str, Any]) -> str:
    return _text({"$schema": _DIALECT, **schema})


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (FOLDER / name).write_text(content)
    sys.stdout.write(f"{FOLDER}\n")
