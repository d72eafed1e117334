"""The functions behind events and schedules, through their handlers."""

import json
from typing import Any

import pytest

from jobs import aws, clock, items
from jobs.errors import RequestError
from jobs.job import Charge, Job, Source
from jobs.open_charges import opening
from jobs.store import JobStore
from jobs.submit import Submitter
from lambdas import services
from lambdas.drop_folder.handler import handler as drop_folder
from lambdas.outbox.handler import handler as outbox
from lambdas.planner.handler import handler as planner
from lambdas.publisher.handler import handler as publisher
from lambdas.sweeper.handler import handler as sweeper
from lambdas.video_requested.handler import handler as video_requested
from tests.unit.jobs.cloud import BUCKET, BUS, GROUP, TABLE, Cloud
from tests.unit.jobs.made import outputs, queued, request
from tests.unit.lambdas.conftest import Api


def receipt(cloud: Cloud, key: str) -> list[tuple[int, str]]:
    entries = json.loads(cloud.read(key))["entries"]
    return [(entry["line"], entry["error"]["code"] if "error" in entry else entry["status"]) for entry in entries]


def test_given_a_dropped_file_then_a_job_a_line_and_a_receipt(cloud: Cloud, context: Any) -> None:
    lines = '{"prompt": "um coração", "seconds": 1}\n{broken\n\n{"prompt": "b", "seed": -1}\n{"prompt": "c"}\n'
    event = cloud.put("inbox/campanha de verão/a.jsonl", lines.encode())

    assert drop_folder(event, context) == {"accepted": 2, "rejected": 2}

    key = "outbox/campanha de verão/a.jsonl.receipt.json"
    assert receipt(cloud, key) == [(1, "accepted"), (2, "invalid_json"), (4, "invalid_value"), (5, "accepted")]
    shown = json.loads(cloud.read(key))
    assert shown["version"] == "1"
    assert shown["source"]["key"] == "inbox/campanha de verão/a.jsonl"
    assert shown["entries"][2]["error"]["param"] == "seed"
    ids = [entry["job_id"] for entry in shown["entries"] if entry["status"] == "accepted"]
    assert [message["job_id"] for message in cloud.messages()] == ids
    assert services.store().get(ids[1]).source.line == 5


def test_given_the_same_object_twice_then_one_job_and_the_same_receipt(cloud: Cloud, context: Any) -> None:
    event = cloud.put("inbox/a.txt", b"a red circle")
    drop_folder(event, context)
    first = cloud.read("outbox/a.txt.receipt.json")

    drop_folder(event, context)

    assert len(cloud.messages()) == 1
    assert cloud.read("outbox/a.txt.receipt.json") == first


def test_given_a_function_that_died_halfway_then_the_second_delivery_finishes_without_repeats(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = cloud.put("inbox/a.jsonl", b'{"prompt": "a"}\n{"prompt": "b"}\n{"prompt": "c"}\n')
    submit, calls = JobStore.create, iter(range(10))

    def dies_at_the_third(self: JobStore, job: Job, **how: Any) -> bool:
        if next(calls) == 2:
            raise MemoryError
        return submit(self, job, **how)

    monkeypatch.setattr(JobStore, "create", dies_at_the_third)
    with pytest.raises(MemoryError):
        drop_folder(event, context)
    drop_folder(event, context)

    assert receipt(cloud, "outbox/a.jsonl.receipt.json") == [(1, "accepted"), (2, "accepted"), (3, "accepted")]
    assert len(cloud.messages()) == 3


@pytest.mark.parametrize(
    ("key", "body", "code"),
    [
        ("inbox/a.json", bytes(range(256)) * 10, "not_utf8"),
        ("inbox/a.json", b"{", "invalid_json"),
        ("inbox/a.txt", "coração".encode("latin-1"), "not_utf8"),
        ("inbox/a.txt", b"x" * 50 * 1024 * 1024, "file_too_large"),
        ("inbox/a.exe", b"x", "unsupported_file_type"),
        ("inbox/a.txt", b"x" * 50_000, "string_above_max_length"),
        ("inbox/" + "d" * 200 + "/" + "e" * 690 + ".txt", b"", "empty_file"),
    ],
)
def test_given_a_file_that_is_no_use_then_one_rejected_entry(
    cloud: Cloud, context: Any, key: str, body: bytes, code: str
) -> None:
    assert drop_folder(cloud.put(key, body), context) == {"accepted": 0, "rejected": 1}

    assert [found for _, found in receipt(cloud, f"outbox/{key.removeprefix('inbox/')}.receipt.json")] == [code]
    assert cloud.messages() == []


@pytest.mark.parametrize(
    "key", ["inbox/../../etc/a.txt", "inbox/a/./b.txt", "inbox//a.txt", "inbox/" + "é" * 505 + ".txt"]
)
def test_given_a_path_that_cannot_be_mirrored_then_its_receipt_lies_apart(cloud: Cloud, context: Any, key: str) -> None:
    event = {"detail": {"bucket": {"name": BUCKET}, "object": {"key": key, "etag": "e", "size": 1}}}

    assert drop_folder(event, context) == {"accepted": 0, "rejected": 1}

    [kept] = cloud.object_keys("outbox/")
    assert kept.startswith("outbox/rejected/")
    assert receipt(cloud, kept) == [(1, "invalid_path")]


def test_given_a_folder_marker_then_nothing(cloud: Cloud, context: Any) -> None:
    assert drop_folder(cloud.put("inbox/a/", b""), context) == {"accepted": 0, "rejected": 0}
    assert cloud.object_keys("outbox/") == []


def test_given_an_object_that_is_gone_then_its_receipt_says_so(cloud: Cloud, context: Any) -> None:
    event = cloud.put("inbox/a.txt", b"a")
    cloud.s3.delete_object(Bucket=BUCKET, Key="inbox/a.txt")

    drop_folder(event, context)

    assert receipt(cloud, "outbox/a.txt.receipt.json") == [(1, "file_not_found")]


def given_dropped_and_ended(cloud: Cloud, *, line: int, nth: int = 1, done: bool = True) -> Job:
    source = Source(door="drop_folder", bucket=BUCKET, key="inbox/x/a.json", line=line, nth=nth)
    store, job = services.store(), queued(source=source)
    store.create(job)
    if not done:
        return store.cancel(job.id, owner=job.owner)
    store.claim(job.id, instance_id="i", slot="0", lease_s=60)
    made = outputs(job)
    cloud.s3.put_object(Bucket=BUCKET, Key=made.video, Body=b"video")
    cloud.s3.put_object(Bucket=BUCKET, Key=made.thumbnail, Body=b"thumbnail")
    return store.complete(job.id, 1, outputs=made, seconds_by_phase={}, cost_usd=0.0)


def test_given_ended_drops_then_their_results_lie_beside_the_receipt(cloud: Cloud, context: Any) -> None:
    done = [given_dropped_and_ended(cloud, line=3, nth=nth) for nth in (1, 2)]
    ended = given_dropped_and_ended(cloud, line=9, done=False)

    for job in (*done, ended, done[0]):
        outbox({"detail": {"job": {"id": job.id}}}, context)

    assert cloud.object_keys("outbox/") == sorted(
        f"outbox/x/a.json.{name}" for name in ("3.mp4", "3.jpg", "3.json", "3-2.mp4", "3-2.jpg", "3-2.json", "9.json")
    )
    assert cloud.read("outbox/x/a.json.3.mp4") == b"video"
    assert json.loads(cloud.read("outbox/x/a.json.9.json"))["status"] == "cancelled"


def test_given_a_dropped_video_when_deleted_then_what_was_delivered_of_it_goes_and_nothing_of_another(
    cloud: Cloud, context: Any, api: Api
) -> None:
    """Dropped again, changed, a file has its results in the older places; a failure leaves the older video there."""
    older, beside = (given_dropped_and_ended(cloud, line=line) for line in (3, 9))
    newer = given_dropped_and_ended(cloud, line=3, done=False)
    for job in (older, beside, newer):
        outbox({"detail": {"job": {"id": job.id}}}, context)
    cloud.put("outbox/x/a.json.receipt.json", b"{}")
    of_another = ["outbox/x/a.json.9.jpg", "outbox/x/a.json.9.json", "outbox/x/a.json.9.mp4"]
    receipt_key = "outbox/x/a.json.receipt.json"

    assert api("DELETE", f"/v1/videos/{older.id}").status == 200
    assert cloud.object_keys("outbox/") == sorted(["outbox/x/a.json.3.json", *of_another, receipt_key])
    assert json.loads(cloud.read("outbox/x/a.json.3.json"))["id"] == newer.id

    assert api("DELETE", f"/v1/videos/{newer.id}").status == 200
    assert cloud.object_keys("outbox/") == sorted([*of_another, receipt_key])
    assert cloud.s3.head_object(Bucket=BUCKET, Key="outbox/x/a.json.9.mp4")["ContentType"] == "video/mp4"


def drop(cloud: Cloud, context: Any, text: str) -> Job:
    """`inbox/cena.jsonl`, whose second line says `text`; returns that line's job."""
    drop_folder(cloud.put("inbox/cena.jsonl", f'{{"prompt": "a"}}\n{{"prompt": "{text}"}}\n'.encode()), context)
    entries = json.loads(cloud.read("outbox/cena.jsonl.receipt.json"))["entries"]
    return services.store().get(entries[1]["job_id"])


def deliver_cancelled(job: Job, context: Any) -> list[str]:
    services.store().cancel(job.id, owner=job.owner)
    written: list[str] = outbox({"detail": {"job": {"id": job.id}}}, context)["written"]
    return written


def test_given_a_file_dropped_again_when_the_older_job_ends_last_then_the_newer_ones_result_stays(
    cloud: Cloud, context: Any
) -> None:
    older, newer = drop(cloud, context, "um farol"), drop(cloud, context, "um barco")

    assert deliver_cancelled(newer, context) == ["outbox/cena.jsonl.2.json"]
    assert deliver_cancelled(older, context) == []

    assert json.loads(cloud.read("outbox/cena.jsonl.2.json"))["id"] == newer.id


def test_given_a_file_dropped_again_when_the_older_event_comes_last_then_it_makes_nothing(
    cloud: Cloud, context: Any
) -> None:
    older, newer = (cloud.put("inbox/a.txt", text) for text in (b"a red circle", b"a blue square"))
    older["detail"]["object"]["sequencer"] = "0055AED6DCD90281E5"
    newer["detail"]["object"]["sequencer"] = "0055AED6DCD90281E50A"  # filled up at the right, the older one is less
    drop_folder(newer, context)
    receipt = cloud.read("outbox/a.txt.receipt.json")

    assert drop_folder(older, context) == {"accepted": 0, "rejected": 0}
    assert cloud.read("outbox/a.txt.receipt.json") == receipt
    assert len(cloud.messages()) == 1


@pytest.fixture
def versioned(cloud: Cloud) -> Any:
    """Drops a text as `inbox/farol.txt` into a bucket that keeps versions, like the stack's; returns the event."""
    cloud.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    sequence = iter(range(10, 100))

    def put(text: bytes, key: str = "inbox/farol.txt") -> dict[str, Any]:
        answer = cloud.s3.put_object(Bucket=BUCKET, Key=key, Body=text)
        version, etag = answer["VersionId"], answer["ETag"].strip('"')
        item = {"key": key, "size": len(text), "etag": etag, "version-id": version, "sequencer": f"00{next(sequence)}"}
        return {"detail": {"bucket": {"name": BUCKET}, "object": item}}

    return put


def jobs_made(cloud: Cloud) -> list[str]:
    return [message["job_id"] for message in cloud.messages()]


def test_given_the_same_file_dropped_again_then_its_video_stays_and_a_changed_one_makes_another(
    cloud: Cloud, context: Any, versioned: Any
) -> None:
    texts = (b"um farol", b"um farol", b"um barco", b"um barco", b"um farol", b"um farol")

    events = [versioned(text) for text in texts]
    made = [(drop_folder(event, context)["rejected"], len(jobs_made(cloud))) for event in events]

    assert made == [(0, 1), (0, 0), (0, 1), (0, 0), (0, 1), (0, 0)]
    source = json.loads(cloud.read("outbox/farol.txt.receipt.json"))["source"]
    assert source["version_id"] == events[-1]["detail"]["object"]["version-id"]
    assert [drop_folder(event, context) for event in events] == [{"accepted": 0, "rejected": 0}] * 6


def test_given_a_file_changed_and_changed_back_when_the_change_is_told_last_then_it_makes_nothing(
    cloud: Cloud, context: Any, versioned: Any
) -> None:
    """The file is again what it was: the video made of it is that of the file as it is."""
    first, changed, back = (versioned(text) for text in (b"um farol", b"um barco", b"um farol"))

    for event in (first, back, changed):
        drop_folder(event, context)

    assert len(jobs_made(cloud)) == 1


def test_given_the_same_file_dropped_again_then_only_what_was_rejected_is_tried_again(
    cloud: Cloud, context: Any, versioned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, key = b'{"prompt": "um farol"}\n{"prompt": "um barco"}\n', "inbox/a.jsonl"
    submit, calls = Submitter.submit, iter(range(10))

    def refuses_the_second(self: Submitter, *args: Any, **how: Any) -> Job:
        if next(calls) == 1:
            raise RequestError("No slot runs it yet.", code="model_not_available")
        return submit(self, *args, **how)

    monkeypatch.setattr(Submitter, "submit", refuses_the_second)
    assert drop_folder(versioned(text, key), context) == {"accepted": 1, "rejected": 1}
    assert drop_folder(versioned(text, key), context) == {"accepted": 2, "rejected": 0}

    made = jobs_made(cloud)
    entries = json.loads(cloud.read("outbox/a.jsonl.receipt.json"))["entries"]
    assert (len(made), [entry["job_id"] for entry in entries]) == (2, made)


def test_given_a_file_dropped_again_when_a_job_ends_before_its_receipt_is_written_then_its_result_is_delivered(
    cloud: Cloud, context: Any
) -> None:
    """A long file's first video may be there before its last line is taken in: the receipt is the older drop's."""
    drop(cloud, context, "um farol")
    earlier_receipt = cloud.read("outbox/cena.jsonl.receipt.json")
    newer = drop(cloud, context, "um barco")
    cloud.put("outbox/cena.jsonl.receipt.json", earlier_receipt)

    assert deliver_cancelled(newer, context) == ["outbox/cena.jsonl.2.json"]


def test_given_a_job_of_another_door_or_none_then_the_outbox_stays_empty(cloud: Cloud, context: Any) -> None:
    job = queued()
    services.store().create(job)

    outbox({"detail": {"job": {"id": job.id}}}, context)
    outbox({"detail": {"job": {"id": "video_01ARZ3NDEKTSV4RRFFQ69G5FAV"}}}, context)

    assert cloud.object_keys("outbox/") == []


def requested(detail: Any, event_id: str = "e-1") -> dict[str, Any]:
    return {"id": event_id, "source": "app", "detail-type": "Video Requested", "detail": detail}


def test_given_a_requested_video_delivered_twice_then_one_job(cloud: Cloud, context: Any) -> None:
    answers = [video_requested(requested({"version": "1", "prompt": "a"}), context) for _ in range(2)]

    assert answers[0] == answers[1]
    assert services.store().get(answers[0]["job_id"]).source == Source(door="event", event_id="e-1")
    assert len(cloud.messages()) == 1


def test_given_one_request_id_in_two_events_then_one_job(cloud: Cloud, context: Any) -> None:
    detail = {"request_id": "order-1", "prompt": "a"}

    first, again = (video_requested(requested(detail, event_id), context) for event_id in ("e-1", "e-2"))
    other = video_requested(requested({**detail, "prompt": "b"}, "e-3"), context)

    assert first == again
    assert "idempotency key" in other["error"]


@pytest.mark.parametrize(
    "detail", [{}, [], "x", None, {"prompt": ""}, {"prompt": "a", "x": 1}, {"prompt": "a", "version": "2"}]
)
def test_given_a_requested_video_that_is_none_then_refused_and_not_retried(
    cloud: Cloud, context: Any, detail: Any
) -> None:
    assert video_requested(requested(detail), context)["error"]
    assert cloud.messages() == []


def record(old: Job | None, new: Job | None) -> dict[str, Any]:
    job = new or old
    assert job is not None
    change: dict[str, Any] = {"Keys": items.marshal(items.job_key(job.id))}
    change |= {"OldImage": items.job_to_item(old)} if old else {}
    change |= {"NewImage": items.job_to_item(new)} if new else {}
    return {"eventName": "MODIFY", "dynamodb": change}


def test_given_the_streams_records_then_events_on_the_bus(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[dict[str, Any]] = []

    def take(Entries: list[Any]) -> dict[str, Any]:
        put.extend(Entries)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "x"} for _ in Entries]}

    monkeypatch.setattr(aws.events(), "put_events", take)
    job = queued(request=request(metadata={"ação": "1"}))
    key = {"eventName": "INSERT", "dynamodb": {"Keys": items.marshal(items.api_key("x")), "NewImage": {}}}

    assert publisher({"Records": [record(None, job), key]}, context) == {"published": 1}

    [entry] = put
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == ("revalida.video", "Video Queued", BUS)
    detail = json.loads(entry["Detail"])
    assert detail["event_id"] == f"{job.id}:queued:0"
    assert detail["metadata"] == {"ação": "1"}


def test_given_a_finished_job_then_it_teaches_the_estimate_once_however_often_the_stream_tells_it(
    cloud: Cloud, context: Any
) -> None:
    store, job = services.store(), queued()
    store.create(job)
    running = store.claim(job.id, instance_id="i", slot="CPUx2", lease_s=60)
    took = {"encode": 1.0, "denoise": 20.0, "decode": 5.0}
    done = store.complete(job.id, 1, outputs=outputs(job), seconds_by_phase=took, cost_usd=0.0)

    for _ in range(2):
        publisher({"Records": [record(running, done)]}, context)

    assert len(services.calibration().read().log_ratios["wan-mini@CPUx2"]) == 1


def test_given_a_bus_that_refuses_then_the_stream_delivers_the_batch_again(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(Entries: list[Any]) -> dict[str, Any]:
        failed = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
        return {"FailedEntryCount": len(Entries), "Entries": [failed for _ in Entries]}

    monkeypatch.setattr(aws.events(), "put_events", refuse)

    with pytest.raises(Exception, match="try again"):
        publisher({"Records": [record(None, queued())]}, context)


def given_group(maximum: int) -> None:
    groups = aws.autoscaling()
    groups.create_launch_configuration(LaunchConfigurationName="lc", ImageId="ami-12345678", InstanceType="g5.12xlarge")
    groups.create_auto_scaling_group(
        AutoScalingGroupName=GROUP, LaunchConfigurationName="lc", MinSize=0, MaxSize=maximum, DesiredCapacity=0,
        AvailabilityZones=["us-east-2a"],
    )  # fmt: skip


def test_given_queued_jobs_then_the_group_grows_to_its_limit_and_not_back(cloud: Cloud, context: Any) -> None:
    given_group(maximum=2)

    assert planner({}, context) == {"before": 0, "after": 0}
    for _ in range(40):
        services.store().create(queued())
    assert planner({}, context) == {"before": 0, "after": 2}
    for job in services.store().in_state(queued().status):
        services.store().cancel(job.id, owner=job.owner)
    assert planner({}, context) == {"before": 2, "after": 2}


def test_given_a_lost_agent_then_the_sweeper_queues_its_job_again_and_sends_a_message(
    cloud: Cloud, context: Any
) -> None:
    store = JobStore(TABLE, now=lambda: clock.now() - 3600)
    job = queued(created_at=clock.now(), queued_at=clock.now())
    store.create(job)
    store.claim(job.id, instance_id="i", slot="0", lease_s=60)

    assert sweeper({}, context).items() >= {"reaped": 1, "expired": 0, "resent": 0, "settled": 0}.items()

    after = services.store().get(job.id)
    assert (after.status, after.crashes, after.attempts[0].outcome) == ("queued", 0, "lost")
    assert [message["job_id"] for message in cloud.messages()] == [job.id]
    assert sweeper({}, context).items() >= {"reaped": 0, "expired": 0, "resent": 0, "settled": 0}.items()


def test_given_an_open_account_of_another_releases_job_then_it_stays_open_and_the_sweeper_sees_to_the_rest(
    cloud: Cloud, context: Any
) -> None:
    """Such a job is in no list of what waits or runs, and has not ended for that."""
    job = queued(charge=Charge(key_id="key_a", month="2026-11", reserved_musd=5, bound=False))
    assert services.store().create(job, conditions=[opening(TABLE, job)])
    item = items.job_to_item(job)
    item["request"]["M"]["priority"] = {"S": "in a word of the next release"}
    cloud.dynamodb.put_item(TableName=TABLE, Item=item)

    assert sweeper({}, context).items() >= {"settled": 0, "silent_ended": 0}.items()

    assert [charge.job_id for charge in services.usage().open_charges()] == [job.id]


def test_given_a_job_whose_message_never_went_then_it_is_sent_once(cloud: Cloud, context: Any) -> None:
    old = clock.now() - 300
    job = queued(created_at=old, queued_at=old)
    services.store().create(job)

    assert sweeper({}, context)["resent"] == 1
    assert sweeper({}, context)["resent"] == 0
    assert [message["job_id"] for message in cloud.messages()] == [job.id]


def test_given_a_passed_deadline_then_the_job_has_failed_and_says_why(cloud: Cloud, context: Any) -> None:
    now = clock.now()
    job = queued(created_at=now - 60, queued_at=now - 60, request=request(deadline=int(now) - 1))
    services.store().create(job)

    assert sweeper({}, context)["expired"] == 1

    error = services.store().get(job.id).error
    assert error is not None
    assert error.code == "deadline_exceeded"
