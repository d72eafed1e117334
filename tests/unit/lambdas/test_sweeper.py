"""The sweeper: orphans of every kind are settled and counted, and nothing that is needed is touched."""

import json
from typing import Any

import pytest

from jobs import aws, clock, s3_keys
from jobs.ids import new_character_id, new_input_id
from jobs.job import Attempt
from jobs.meters import MeterStore
from jobs.planner.ledger import month_of
from jobs.states import State
from jobs.sweeping import stalled
from jobs.training import TrainingBody, TrainingPlan, lora_name, settings_of
from lambdas import services
from lambdas.planner.handler import handler as planner
from lambdas.planner.metering import SILENT_LIMIT_S
from lambdas.sweeper import files
from lambdas.sweeper.handler import handler as sweeper
from models import catalog
from tests.unit.jobs.cloud import TABLE, Cloud
from tests.unit.jobs.made import T0, outputs, queued, request
from tests.unit.lambdas.test_planner_function import given_group, given_spot_price, group

HOUR_S = 3600.0


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Moves the clock; S3 goes on stamping objects with the true time."""
    now = clock.now()

    def move(seconds: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: now + seconds)

    return move


def given_files(cloud: Cloud, *keys: str) -> None:
    for key in keys:
        cloud.put(key, b"x")


def training() -> TrainingPlan:
    character_id = new_character_id()
    return TrainingPlan(
        character_id=character_id,
        name="Maria",
        version=1,
        trigger="zxmaria",
        lora=lora_name(character_id, 1),
        references=(),
        settings=settings_of(TrainingBody(), catalog.get("wan-mini"), trigger="zxmaria", seed=0),
    )


def test_given_checkpoints_then_those_of_ended_and_deleted_jobs_go_and_those_of_waiting_ones_stay(
    cloud: Cloud, context: Any, later: Any
) -> None:
    waiting, ended, deleted = queued(created_at=clock.now()), queued(status=State.FAILED), queued()
    for job in (waiting, ended):
        services.store().create(job)
    given_files(cloud, *(s3_keys.checkpoint(job.id, 8) for job in (waiting, ended, deleted)))
    assert sweeper({}, context)["checkpoints_deleted"] == 0  # too young: their records may be on their way

    later(2 * HOUR_S)
    counts = sweeper({}, context)

    assert counts["checkpoints_deleted"] == 2
    assert cloud.object_keys("checkpoints/") == [s3_keys.checkpoint(waiting.id, 8)]


def test_given_videos_then_only_those_of_the_attempt_that_was_taken_stay(
    cloud: Cloud, context: Any, later: Any
) -> None:
    job = queued(status=State.COMPLETED)
    job = job.model_copy(update={"outputs": outputs(job, attempt=2)})
    services.store().create(job)
    kept = [s3_keys.asset(job.id, 2, "thumbnail"), s3_keys.asset(job.id, 2, "video")]
    given_files(cloud, *kept, s3_keys.asset(job.id, 1, "video"), s3_keys.asset(queued().id, 1, "video"))

    later(2 * HOUR_S)

    assert sweeper({}, context)["videos_deleted"] == 2
    assert cloud.object_keys("videos/") == kept


def test_given_a_training_that_has_ended_then_what_its_attempts_told_of_it_stays(
    cloud: Cloud, context: Any, later: Any
) -> None:
    job = queued(status=State.COMPLETED, attempt=2, training=training())
    services.store().create(job.model_copy(update={"outputs": outputs(job, attempt=2)}))
    kept = [
        s3_keys.training_file(job.id, 1, "losses.json"),
        s3_keys.training_file(job.id, 1, "sample-000100.jpg"),
        s3_keys.training_file(job.id, 2, "losses.json"),
        s3_keys.asset(job.id, 2, "video"),
    ]
    given_files(cloud, *kept, s3_keys.asset(job.id, 1, "video"))

    later(2 * HOUR_S)

    assert sweeper({}, context)["videos_deleted"] == 1
    assert cloud.object_keys("videos/") == kept


def test_given_inputs_then_those_that_no_job_is_made_from_go_and_shared_ones_of_before_stay(
    cloud: Cloud, context: Any, later: Any
) -> None:
    living, deleted, refused = (s3_keys.input_file(new_input_id(), "png") for _ in range(3))
    shared = "inputs/" + "0" * 64 + ".png"
    jobs = [queued(status=State.COMPLETED, request=request(image=key)) for key in (living, deleted, shared)]
    for job in jobs:
        services.store().create(job)
    given_files(cloud, living, deleted, refused, shared)
    services.store().delete(jobs[1].id, owner=jobs[1].owner)
    services.store().delete(jobs[2].id, owner=jobs[2].owner)
    assert sweeper({}, context)["inputs_deleted"] == 0  # too young: their records may be on their way

    later(2 * HOUR_S)

    assert sweeper({}, context)["inputs_deleted"] == 2
    assert cloud.object_keys("inputs/") == [shared, living]


def test_given_uploads_then_they_stay_for_as_long_as_was_promised(cloud: Cloud, context: Any, later: Any) -> None:
    given_files(cloud, s3_keys.upload("acme", "upload_1"))
    later(47 * HOUR_S)
    assert sweeper({}, context)["uploads_deleted"] == 0

    later(49 * HOUR_S)

    assert sweeper({}, context)["uploads_deleted"] == 1


def test_given_more_files_than_one_run_looks_at_then_the_next_runs_go_on_and_begin_anew(
    cloud: Cloud, context: Any, later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK", 2)
    jobs = sorted(queued().id for _ in range(3))
    given_files(cloud, *(s3_keys.checkpoint(job, step) for job in jobs for step in (1,)))
    later(2 * HOUR_S)

    assert [sweeper({}, context)["checkpoints_deleted"] for _ in range(3)] == [2, 1, 0]
    given_files(cloud, s3_keys.checkpoint(jobs[0], 9))
    assert sweeper({}, context)["checkpoints_deleted"] == 1


def test_given_an_instance_whose_agent_never_comes_then_it_is_ended_and_counted(
    cloud: Cloud, context: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else it is paid for without end, and counts as a slot that is free: nothing would be launched for its work."""
    monkeypatch.setattr(clock, "now", lambda: T0)  # in the midst of a month: each has meters of its own
    given_group()
    given_spot_price(monkeypatch, "1.50")
    aws.autoscaling().set_desired_capacity(AutoScalingGroupName="fleet", DesiredCapacity=1)
    for minute in range(int(SILENT_LIMIT_S / 60) + 1):
        monkeypatch.setattr(clock, "now", lambda at=T0 + minute * 60.0: at)
        assert sweeper({}, context)["silent_ended"] == 0
        planner({}, context)
    capsys.readouterr()

    assert sweeper({}, context)["silent_ended"] == 1

    assert group()["DesiredCapacity"] == 0
    assert ("silent_ended", 1.0) in swept(capsys.readouterr().out)
    (meter,) = MeterStore(TABLE).month(month_of(T0))
    assert meter.usd == pytest.approx(1.5 * SILENT_LIMIT_S / 3600)
    assert meter.boot_s == pytest.approx(SILENT_LIMIT_S)


def swept(printed: str) -> list[tuple[str, float]]:
    lines = [json.loads(line) for line in printed.splitlines() if '"Swept"' in line]
    return [(line["what"], line["Swept"][0]) for line in lines]


def test_given_a_running_job_then_it_stalls_at_three_times_what_was_predicted() -> None:
    attempt = Attempt(number=1, instance_id="i", slot="s", started_at=1000.0)
    job = queued(status=State.IN_PROGRESS, attempts=(attempt,), attempt=1, lease_expires_at=1e12)
    predicted_s = 11.0  # tests.unit.jobs.made: ten seconds of work, one of loading

    assert stalled([job], now=1000.0 + predicted_s + 600.0) == []
    assert stalled([job], now=1001.0 + predicted_s + 600.0) == [job]
    assert stalled([job.model_copy(update={"lease_expires_at": 0.0})], now=1e6) == []  # lost, not stalled
