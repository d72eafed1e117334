"""What the stream's changes become on the bus, and the committed schemas."""

import json
from pathlib import Path

import jsonschema
import pytest

from jobs import schemas, transitions
from jobs.events import EventDetail, EventType, changes
from jobs.job import Job
from jobs.publish import MAX_BYTES, batches
from tests.unit.jobs.made import T0, queued

DOCS = Path(__file__).parents[3] / "docs" / "events"


def told(old: Job | None, new: Job | None) -> list[tuple[str, str]]:
    return [(detail.type.word, detail.event_id.split(":", 1)[1]) for detail in changes(old, new)]


def test_given_the_whole_life_of_a_job_then_each_step_is_told_once() -> None:
    job = queued()
    started = transitions.claim(job, instance_id="i", slot="0", lease_s=60, now=T0)
    beat = transitions.heartbeat(
        started, 1, lease_s=60, step=3, total_steps=8, phase="denoise", checkpoint_step=None, now=T0
    )
    back = transitions.interrupt(beat, 1, checkpoint_step=3, reason="spot", now=T0)
    again = transitions.claim(back, instance_id="j", slot="0", lease_s=60, now=T0)
    taken_over = transitions.claim(again, instance_id="k", slot="0", lease_s=60, now=T0 + 61)
    cancelled = transitions.cancelled(taken_over, 3, now=T0 + 62)

    assert told(None, job) == [("queued", "queued:0")]
    assert told(job, started) == [("started", "started:1")]
    assert told(started, beat) == [("progressed", "progressed:1:3")]
    assert told(beat, back) == [("interrupted", "interrupted:1")]
    assert told(back, again) == [("resumed", "resumed:2")]
    assert told(again, taken_over) == [("interrupted", "interrupted:2"), ("resumed", "resumed:3")]
    assert told(taken_over, cancelled) == [("cancelled", "cancelled:3")]


def test_given_a_heartbeat_without_progress_then_nothing_is_told() -> None:
    job = transitions.claim(queued(), instance_id="i", slot="0", lease_s=60, now=T0)

    assert changes(job, job.model_copy(update={"lease_expires_at": T0 + 90})) == []


def test_given_a_deleted_job_then_whoever_waits_for_it_is_told() -> None:
    job = queued()

    [detail] = changes(job, None)

    assert (detail.type, detail.job.status) == (EventType.CANCELLED, "cancelled")
    assert changes(transitions.cancel(job, now=T0), None) == []


@pytest.mark.parametrize("name", sorted(schemas.files()))
def test_committed_schemas_and_examples_are_what_the_code_generates(name: str) -> None:
    """If this fails: `python -m jobs.schemas`, and look at what changed for integrators."""
    assert (DOCS / name).read_text() == schemas.files()[name]


def test_no_schema_is_left_over() -> None:
    assert {path.name for path in DOCS.glob("*.json")} == set(schemas.files())


@pytest.mark.parametrize("kind", list(EventType))
def test_each_example_is_valid_by_its_schema(kind: EventType) -> None:
    schema = json.loads((DOCS / f"video-{kind.word}.schema.json").read_text())
    example = json.loads((DOCS / f"video-{kind.word}.example.json").read_text())

    jsonschema.validate(example["detail"], schema)
    assert example["detail-type"] == kind.value
    assert EventDetail.model_validate(example["detail"]).type is kind


def test_given_large_events_then_no_call_is_over_what_eventbridge_takes() -> None:
    entries = [{"Detail": "x" * 250_000, "n": n} for n in range(25)] + [{"Detail": "x", "n": n} for n in range(25, 60)]

    made = list(batches(entries))

    assert [entry["n"] for batch in made for entry in batch] == list(range(60))
    assert max(len(batch) for batch in made) <= 10
    assert max(sum(len(entry["Detail"]) for entry in batch) for batch in made) <= MAX_BYTES
