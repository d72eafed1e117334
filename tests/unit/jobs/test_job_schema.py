"""A job that one release accepted runs on the next, and on the one before for as long as a deploy lasts.

`tests/golden/jobs/1` holds records as the first release wrote them, byte for byte. Never write them anew: a release
that changes the record adds a folder.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import items
from jobs.events import changes
from jobs.job import Job
from jobs.job_schema import JOB_SCHEMA, UPGRADES, upgraded
from jobs.states import State
from jobs.store import JobStore
from jobs.view import video_view
from tests.unit.jobs.cloud import TABLE, Cloud
from tests.unit.jobs.made import outputs

GOLDEN = Path(__file__).parents[2] / "golden" / "jobs"
RECORDS = sorted(path for path in GOLDEN.rglob("*.json") if path.name != "schema.json")


def golden(path: Path) -> items.Item:
    item: items.Item = json.loads(path.read_text(encoding="utf-8"))
    return item


def given(cloud: Cloud, item: items.Item) -> Job:
    cloud.dynamodb.put_item(TableName=TABLE, Item=item)
    return items.job_from_item(item)


def run_to_its_end(job: Job) -> Job:
    """As an agent does it."""
    store = JobStore(TABLE)
    mine = store.claim(job.id, instance_id="i-new", slot="A10Gx1", lease_s=60)
    store.heartbeat(job.id, mine.attempt, lease_s=60, step=4, total_steps=4, phase="decode", checkpoint_step=4)
    made = outputs(job, mine.attempt)
    return store.complete(job.id, mine.attempt, outputs=made, seconds_by_phase={"denoise": 1.0}, cost_usd=0.01)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_given_an_earlier_releases_record_then_it_is_read_shown_and_run_to_its_end(path: Path, cloud: Cloud) -> None:
    job = given(cloud, golden(path))
    assert video_view(job).id == job.id
    if job.status is State.COMPLETED:
        return

    done = run_to_its_end(job)

    assert done.status is State.COMPLETED
    assert done.request == job.request
    assert [event.type for event in changes(job, done)] != []


def test_given_a_record_of_the_release_to_come_then_this_one_runs_it_and_keeps_what_it_does_not_know(
    cloud: Cloud,
) -> None:
    """While a deploy lasts, agents of this release meet jobs that the next one has accepted."""
    item = golden(GOLDEN / "1" / "queued.json")
    item["schema"] = {"N": str(JOB_SCHEMA + 1)}
    item["mood"] = {"S": "calm"}
    item["request"]["M"]["output"]["M"]["subtitles"] = {"BOOL": True}
    item["attempts"] = {"L": []}

    done = run_to_its_end(given(cloud, item))

    after = cloud.dynamodb.get_item(TableName=TABLE, Key=items.marshal(items.job_key(done.id)))["Item"]
    assert done.status is State.COMPLETED
    assert after["mood"] == {"S": "calm"}
    assert after["schema"] == item["schema"]
    assert after["request"] == item["request"]
    assert after["status"] == {"S": "completed"}


def test_given_an_old_record_when_written_then_it_carries_the_present_schema(cloud: Cloud) -> None:
    job = given(cloud, golden(GOLDEN / "1" / "queued.json"))

    JobStore(TABLE).cancel(job.id, owner=job.owner)

    after = cloud.dynamodb.get_item(TableName=TABLE, Key=items.marshal(items.job_key(job.id)))["Item"]
    assert after["schema"] == {"N": str(JOB_SCHEMA)}


def test_given_upgrades_then_they_are_taken_one_after_the_other_from_where_the_record_stands() -> None:
    steps = {number: lambda values, number=number: {**values, f"by_{number}": True} for number in (1, 2, 3)}

    assert upgraded({}, steps) == {"by_1": True, "by_2": True, "by_3": True}
    assert upgraded({"schema": 3}, steps) == {"schema": 3, "by_3": True}
    assert upgraded({"schema": 9}, steps) == {"schema": 9}
    assert set(UPGRADES) == set(range(1, JOB_SCHEMA))


def test_given_the_records_schema_then_it_has_only_grown_since_it_was_released() -> None:
    """Else a release cannot read what the one before wrote: give JOB_SCHEMA a new number, and an upgrade."""
    released = json.loads((GOLDEN / str(JOB_SCHEMA) / "schema.json").read_text(encoding="utf-8"))

    assert list(breaks(released, Job.model_json_schema())) == []


def breaks(released: dict[str, Any], present: dict[str, Any]) -> Iterator[str]:
    """What of the released schema the present one does not take; models may be called otherwise."""

    def walk(where: str, was: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
        was, now = _at(released, was), _at(present, now)
        if was.get("type") != now.get("type"):
            yield f"{where} was {was.get('type')}, is {now.get('type')}"
        yield from (
            f"{where}: {one} is no value any more" for one in set(was.get("enum", [])) - set(now.get("enum", []))
        )
        yield from (
            f"{where}.{one} is required now" for one in set(now.get("required", [])) - set(was.get("required", []))
        )
        for name, inner in was.get("properties", {}).items():
            if name not in now.get("properties", {}):
                yield f"{where}.{name} is gone"
            else:
                yield from walk(f"{where}.{name}", inner, now["properties"][name])
        if "items" in was:
            yield from walk(f"{where}[]", was["items"], now.get("items", {}))
        for one, other in zip(was.get("anyOf", []), now.get("anyOf", []), strict=False):
            yield from walk(where, one, other)

    return walk("Job", released, present)


def _at(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """The node, or what it refers to."""
    found: dict[str, Any] = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    return found


def test_given_a_schema_that_shrank_then_it_is_noticed() -> None:
    schema = Job.model_json_schema()
    smaller = json.loads(json.dumps(schema))
    del smaller["$defs"]["Attempt"]["properties"]["reason"]
    smaller["required"].append("cost_usd")

    assert list(breaks(schema, smaller)) == ["Job.cost_usd is required now", "Job.attempts[].reason is gone"]
