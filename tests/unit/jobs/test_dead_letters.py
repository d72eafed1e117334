"""Jobs that crash their workers: buried with a reason, and tried again by an operator alone."""

import json

import pytest

from jobs import transitions
from jobs.dead_letter_commands import main
from jobs.dead_letters import DeadLetters, NoDeadLetter
from jobs.errors import NotRedrivable
from jobs.events import EventType, changes
from jobs.job import Job, JobError
from jobs.queue import JobQueues
from jobs.states import State
from jobs.store import JobStore
from tests.unit.jobs.cloud import PREFIX, TABLE, Cloud
from tests.unit.jobs.made import T0, queued


def crash_to_death(store: JobStore, queues: JobQueues) -> Job:
    """A job that killed its worker three times, buried as the agent buries it."""
    job = queued()
    assert store.create(job)
    for number in range(1, transitions.MAX_CRASHES + 1):
        store.claim(job.id, instance_id="i-1", slot="0", lease_s=60)
        job = store.record_crash(job.id, number, reason="worker ended by signal 9")
    queues.bury(job, None, reason=job.error.message if job.error else "")
    return job


@pytest.fixture
def store(cloud: Cloud) -> JobStore:
    return JobStore(TABLE)


@pytest.fixture
def queues(cloud: Cloud) -> JobQueues:
    return JobQueues(PREFIX)


@pytest.fixture
def letters(store: JobStore, queues: JobQueues) -> DeadLetters:
    return DeadLetters(store=store, queues=queues)


def test_given_letters_when_listed_twice_then_they_are_still_there_with_their_reasons(
    store: JobStore, queues: JobQueues, letters: DeadLetters
) -> None:
    dead = [crash_to_death(store, queues) for _ in range(12)]  # more than SQS gives at once

    for _ in range(2):
        found = letters.list()
        assert {letter.job_id for letter in found} == {job.id for job in dead}
        assert all("signal 9" in (letter.reason or "") for letter in found)


def test_given_a_dead_letter_when_redriven_then_the_job_waits_for_a_new_attempt_and_the_letter_is_gone(
    cloud: Cloud, store: JobStore, queues: JobQueues, letters: DeadLetters
) -> None:
    dead, other = crash_to_death(store, queues), crash_to_death(store, queues)

    letters.redrive(dead.id)

    job = store.get(dead.id)
    assert (job.status, job.crashes, job.error, job.checkpoint_step) == (State.QUEUED, 0, None, 0)
    assert [body["job_id"] for body in cloud.messages()] == [dead.id]
    assert [letter.job_id for letter in letters.list()] == [other.id]
    assert store.claim(dead.id, instance_id="i-2", slot="0", lease_s=60).attempt == 4


def test_given_a_job_that_failed_by_its_request_then_it_cannot_be_redriven(store: JobStore) -> None:
    job = queued()
    assert store.create(job)
    store.claim(job.id, instance_id="i-1", slot="0", lease_s=60)
    failed = store.fail(job.id, 1, JobError(code="unsupported_request", message="no"))

    with pytest.raises(NotRedrivable):
        store.redrive(job.id)
    assert store.get(job.id) == failed


def test_given_a_redrive_when_repeated_then_the_second_changes_nothing(
    store: JobStore, queues: JobQueues, letters: DeadLetters
) -> None:
    dead = crash_to_death(store, queues)
    queued_again = letters.redrive(dead.id)

    with pytest.raises(NotRedrivable):
        letters.redrive(dead.id)
    assert store.get(dead.id) == queued_again


def test_given_a_redrive_then_it_is_told_as_queued_and_resumed_under_ids_of_their_own(
    store: JobStore, queues: JobQueues
) -> None:
    dead = crash_to_death(store, queues)

    again = transitions.redrive(dead, now=T0 + 900)
    taken = transitions.claim(again, instance_id="i-2", slot="0", lease_s=60, now=T0 + 910)

    told = [*changes(dead, again), *changes(again, taken)]
    assert [(event.type, event.event_id) for event in told] == [
        (EventType.QUEUED, f"{dead.id}:queued:3"),
        (EventType.RESUMED, f"{dead.id}:resumed:4"),
    ]


def test_given_the_commands_then_an_operator_lists_shows_and_redrives(
    store: JobStore, queues: JobQueues, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = crash_to_death(store, queues)

    assert main(["list"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "failed"
    assert main(["show", dead.id]) == 0
    assert len(json.loads(capsys.readouterr().out)["attempts"]) == 3
    assert main(["redrive", dead.id]) == 0
    assert json.loads(capsys.readouterr().out)["next_attempt"] == 4
    assert main(["redrive", dead.id]) == 1
    assert "queued" in capsys.readouterr().err


def test_given_no_letter_then_show_says_so(letters: DeadLetters) -> None:
    with pytest.raises(NoDeadLetter):
        letters.show("video_01KAVZ3D7Q8YB5N2M4T6W9XECR")
