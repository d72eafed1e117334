"""The job table through its public door, against DynamoDB's conditional writes (moto)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from jobs import aws, items
from jobs.errors import FenceLost, JobNotFound, NotClaimable
from jobs.job import Job, JobError
from jobs.states import State
from jobs.store import JobStore
from tests.unit.jobs.cloud import TABLE, Cloud
from tests.unit.jobs.made import T0, Clock, outputs, queued


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(cloud: Cloud, clock: Clock) -> JobStore:
    return JobStore(TABLE, now=clock)


def given_queued(store: JobStore, **changes: Any) -> Job:
    job = queued(**changes)
    assert store.create(job)
    return job


def given_running(store: JobStore) -> Job:
    return store.claim(given_queued(store).id, instance_id="i-1", slot="0", lease_s=60)


def test_given_a_job_when_read_back_then_nothing_is_lost(store: JobStore) -> None:
    job = given_queued(store, cost_usd=0.1 + 0.2, seconds_by_phase={"denoise": 1e-7, "decode": 3.0})

    assert store.get(job.id) == job


def test_given_a_queued_job_when_claimed_then_the_fence_is_one_and_the_lease_runs(store: JobStore) -> None:
    job = given_running(store)

    assert (job.status, job.attempt, job.lease_expires_at) == (State.IN_PROGRESS, 1, T0 + 60)
    assert job.attempts[0].instance_id == "i-1"


def test_given_a_living_lease_when_another_claims_then_refused(store: JobStore) -> None:
    job = given_running(store)

    with pytest.raises(NotClaimable) as refused:
        store.claim(job.id, instance_id="i-2", slot="0", lease_s=60)

    assert refused.value.lease_expires_at == T0 + 60


def test_given_an_expired_lease_when_claimed_then_the_zombie_can_change_nothing(store: JobStore, clock: Clock) -> None:
    job = given_running(store)
    clock.at += 61
    store.claim(job.id, instance_id="i-2", slot="0", lease_s=60)

    zombie_writes: list[Callable[[], object]] = [
        lambda: store.heartbeat(job.id, 1, lease_s=60, step=5, total_steps=8),
        lambda: store.complete(job.id, 1, outputs=outputs(job), seconds_by_phase={}, cost_usd=0.0),
        lambda: store.fail(job.id, 1, JobError(code="x", message="x")),
        lambda: store.interrupt(job.id, 1, checkpoint_step=5, reason="spot"),
        lambda: store.cancelled(job.id, 1),
        lambda: store.record_crash(job.id, 1, reason="x"),
    ]
    for write in zombie_writes:
        with pytest.raises(FenceLost):
            write()

    now = store.get(job.id)
    assert (now.attempt, now.step, now.attempts[0].outcome) == (2, 0, "lost")


def test_given_another_claim_between_read_and_write_then_the_first_to_write_wins(store: JobStore) -> None:
    job = given_queued(store)

    def while_the_other_decides() -> float:
        store.claim(job.id, instance_id="i-1", slot="0", lease_s=60)
        return T0

    slower = JobStore(TABLE, now=while_the_other_decides)

    with pytest.raises(NotClaimable):
        slower.claim(job.id, instance_id="i-2", slot="0", lease_s=60)
    assert [attempt.instance_id for attempt in store.get(job.id).attempts] == ["i-1"]


def test_given_a_cancel_between_a_heartbeats_read_and_write_then_both_hold(store: JobStore) -> None:
    job = given_running(store)
    cancels: Iterator[Callable[[], object]] = iter([lambda: store.cancel(job.id, owner="default"), lambda: None])

    def while_the_user_cancels() -> float:
        next(cancels)()
        return T0

    told = JobStore(TABLE, now=while_the_user_cancels).heartbeat(job.id, 1, lease_s=60, step=3, total_steps=8)

    after = store.get(job.id)
    assert (told.cancel_requested, after.cancel_requested, after.step) == (True, True, 3)


def test_given_a_completed_job_when_completed_again_then_fence_lost(store: JobStore) -> None:
    job = given_running(store)
    done = store.complete(job.id, 1, outputs=outputs(job), seconds_by_phase={"denoise": 2.5}, cost_usd=0.01)

    with pytest.raises(FenceLost):
        store.complete(job.id, 1, outputs=outputs(job), seconds_by_phase={}, cost_usd=0.0)

    assert store.get(job.id) == done
    assert (done.status, done.cost_usd, done.attempts[0].outcome) == (State.COMPLETED, 0.01, "completed")


def test_given_a_write_whose_answer_was_lost_when_repeated_by_the_sdk_then_it_counts_as_done(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = given_running(store)
    client = aws.dynamodb()
    put = client.put_item

    def put_twice(**arguments: Any) -> Any:
        put(**arguments)
        return put(**arguments)

    monkeypatch.setattr(client, "put_item", put_twice)

    done = store.complete(job.id, 1, outputs=outputs(job), seconds_by_phase={}, cost_usd=0.0)

    assert done.status is State.COMPLETED


def test_given_an_interruption_then_the_next_attempt_begins_at_the_checkpoint(store: JobStore) -> None:
    job = given_running(store)
    store.heartbeat(job.id, 1, lease_s=60, step=5, total_steps=8, checkpoint_step=4)

    back = store.interrupt(job.id, 1, checkpoint_step=5, reason="spot interruption")
    again = store.claim(job.id, instance_id="i-2", slot="0", lease_s=60)

    assert (back.status, back.crashes, back.attempts[0].reason) == (State.QUEUED, 0, "spot interruption")
    assert (again.attempt, again.step, again.attempts[1].resumed_from_step) == (2, 5, 5)


def test_given_a_third_crash_then_the_job_has_failed_with_the_reason(store: JobStore) -> None:
    job = given_queued(store)

    for number in (1, 2, 3):
        store.claim(job.id, instance_id="i", slot="0", lease_s=60)
        last = store.record_crash(job.id, number, reason="SIGSEGV")

    assert (last.status, last.crashes) == (State.FAILED, 3)
    assert last.error is not None
    assert last.error.code == "worker_crashed"
    assert "SIGSEGV" in last.error.message


def test_given_a_running_job_when_cancelled_then_the_heartbeat_says_so_and_the_agent_ends_it(store: JobStore) -> None:
    job = given_running(store)

    asked = store.cancel(job.id, owner="default")
    told = store.heartbeat(job.id, 1, lease_s=60, step=1, total_steps=8)
    ended = store.cancelled(job.id, 1)

    assert (asked.status, told.cancel_requested, ended.status) == (State.IN_PROGRESS, True, State.CANCELLED)


def test_given_a_cancelled_running_job_whose_agent_is_lost_then_it_ends_cancelled(
    store: JobStore, clock: Clock
) -> None:
    job = given_running(store)
    store.cancel(job.id, owner="default")
    clock.at += 61

    with pytest.raises(NotClaimable):
        store.claim(job.id, instance_id="i-2", slot="0", lease_s=60)
    assert store.reap(job.id).status is State.CANCELLED


def test_given_a_queued_job_when_cancelled_then_at_once(store: JobStore) -> None:
    job = given_queued(store)

    assert store.cancel(job.id, owner="default").status is State.CANCELLED
    with pytest.raises(NotClaimable):
        store.claim(job.id, instance_id="i", slot="0", lease_s=60)


def test_given_a_deleted_job_then_its_agent_loses_the_fence(store: JobStore) -> None:
    job = given_running(store)

    store.delete(job.id, owner="default")

    with pytest.raises(FenceLost):
        store.heartbeat(job.id, 1, lease_s=60, step=1, total_steps=8)


@pytest.mark.parametrize("deed", ["get", "cancel", "delete"])
def test_given_another_owners_job_then_it_is_not_there(store: JobStore, deed: str) -> None:
    job = given_queued(store, owner="somebody")

    with pytest.raises(JobNotFound):
        getattr(store, deed)(job.id, owner="default")


@pytest.mark.parametrize(
    "job_id",
    ["", "video_", "x" * 3000, "video_01M81F75XP2XDTGMM1CZB1KYF/", "JOB#1", "video_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
)
def test_given_an_id_of_no_job_then_not_found(store: JobStore, job_id: str) -> None:
    with pytest.raises(JobNotFound):
        store.get(job_id)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_given_40_jobs_when_paged_while_new_ones_arrive_then_no_hole_and_no_repeat(store: JobStore, order: Any) -> None:
    ids = [given_queued(store).id for _ in range(40)]
    seen: list[str] = []
    after = None

    while True:
        page = store.list("default", after=after, limit=9, order=order)
        seen += [job.id for job in page.jobs]
        given_queued(store)
        if not page.has_more or len(seen) >= 70:
            break
        after = seen[-1]

    old = [job_id for job_id in seen if job_id in ids]
    assert old == (ids if order == "asc" else ids[::-1])
    assert len(set(seen)) == len(seen)


def test_given_a_filter_then_pages_are_full_of_what_passes_it(store: JobStore) -> None:
    for number in range(30):
        job = given_queued(store)
        if number % 10 == 0:
            store.cancel(job.id, owner="default")

    page = store.list("default", limit=2, status=State.CANCELLED)

    assert [job.status for job in page.jobs] == [State.CANCELLED] * 2
    assert page.has_more


def test_given_one_owners_list_then_others_jobs_are_not_in_it(store: JobStore) -> None:
    given_queued(store, owner="somebody")

    assert store.list("default").jobs == []


def test_given_older_jobs_of_the_model_then_they_are_counted_as_ahead(store: JobStore) -> None:
    older = [given_queued(store) for _ in range(3)]
    store.cancel(older[0].id, owner="default")
    job = given_queued(store)
    given_queued(store)

    assert store.queued_of(job.model, before=job.id) == 2
    assert store.queued_of(job.model) == 4
    assert store.queued_of("another") == 0


def test_given_a_job_of_another_release_when_a_states_jobs_are_read_then_the_others_come_and_the_log_names_it(
    store: JobStore, cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """It is read alone, too, by those who need just that one: they are told."""
    before, unknown, after = (given_queued(store) for _ in range(3))
    item = items.job_to_item(unknown)
    item["request"]["M"]["priority"] = {"S": "whenever the private thing is done"}
    cloud.dynamodb.put_item(TableName=TABLE, Item=item)

    assert [job.id for job in store.in_state(State.QUEUED)] == [before.id, after.id]
    assert [job.id for job in store.in_state(State.QUEUED, limit=2)] == [before.id, after.id]

    assert f"JOB#{unknown.id} cannot be read by this release: request.priority" in caplog.text
    assert "private" not in caplog.text
    with pytest.raises(ValidationError):
        store.get(unknown.id)


def test_given_a_filter_that_passes_over_many_then_they_are_not_read_two_by_two(store: JobStore) -> None:
    for _ in range(30):
        given_queued(store)
    asked: list[Any] = []
    store.client.meta.events.register("before-call.dynamodb.Query", lambda params, **_: asked.append(params))

    assert store.list("default", limit=1, status=State.CANCELLED).jobs == []

    assert len(asked) == 1
