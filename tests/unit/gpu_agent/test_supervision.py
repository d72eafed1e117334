"""Restart, recycle, isolate; and when an instance leaves."""

import pytest

from gpu_agent.idle import IdleAction, InstanceWork, decide
from gpu_agent.supervision import SlotAction, SlotHealth, SupervisionPolicy, Verdict, WorkerEvent, observe

POLICY = SupervisionPolicy(recycle_after_jobs=3, max_host_gib=10, isolate_after=3, backoff_base_s=1, backoff_max_s=8)


def after(*events: WorkerEvent, host_gib: float = 1.0) -> Verdict:
    verdict = Verdict(health=SlotHealth(), action=SlotAction.KEEP)
    for event in events:
        verdict = observe(verdict.health, event, POLICY, host_gib=host_gib)
    return verdict


def test_given_a_crash_then_the_worker_is_restarted_and_later_ones_wait_longer() -> None:
    first = after(WorkerEvent.CRASHED)
    second = after(WorkerEvent.CRASHED, WorkerEvent.CRASHED)
    assert (first.action, second.action) == (SlotAction.RESTART, SlotAction.RESTART)
    assert first.after_s < second.after_s


def test_given_failures_in_a_row_then_the_slot_is_isolated_and_stays_so() -> None:
    assert after(*[WorkerEvent.CRASHED] * 3).action is SlotAction.ISOLATE
    assert after(*[WorkerEvent.CRASHED] * 3, WorkerEvent.JOB_DONE).health.isolated


def test_given_device_errors_then_the_slot_is_isolated_sooner() -> None:
    assert after(WorkerEvent.DEVICE_FAILED, WorkerEvent.DEVICE_FAILED).action is SlotAction.ISOLATE


def test_given_a_broken_gpu_then_the_slot_is_isolated_at_once() -> None:
    assert after(WorkerEvent.DEVICE_BROKEN).action is SlotAction.ISOLATE
    assert after(WorkerEvent.DEVICE_BROKEN, WorkerEvent.JOB_DONE).health.isolated


def test_given_a_finished_job_between_crashes_then_the_count_starts_anew() -> None:
    crash, done = WorkerEvent.CRASHED, WorkerEvent.JOB_DONE
    assert after(crash, crash, done, crash, crash).action is SlotAction.RESTART


def test_given_enough_jobs_or_too_much_memory_then_the_worker_is_recycled() -> None:
    assert after(*[WorkerEvent.JOB_DONE] * 2).action is SlotAction.KEEP
    assert after(*[WorkerEvent.JOB_DONE] * 3).action is SlotAction.RECYCLE
    assert after(WorkerEvent.JOB_DONE, host_gib=10.5).action is SlotAction.RECYCLE
    assert after(*[WorkerEvent.JOB_DONE] * 3, WorkerEvent.RECYCLED).health.jobs_by_worker == 0


@pytest.mark.parametrize(
    ("planned_gib", "host_gib", "action"),
    [
        (4.0, 63.0, SlotAction.KEEP),
        (4.0, 65.0, SlotAction.RECYCLE),
        (67.8, 72.0, SlotAction.KEEP),  # Wan A14B on one GPU of a g6e.12xlarge
        (67.8, 82.0, SlotAction.RECYCLE),
    ],
)
def test_given_no_limit_then_a_worker_may_hold_what_its_placement_keeps_in_host_memory_and_a_part_more(
    planned_gib: float, host_gib: float, action: SlotAction
) -> None:
    verdict = observe(
        SlotHealth(), WorkerEvent.JOB_DONE, SupervisionPolicy(), host_gib=host_gib, planned_host_gib=planned_gib
    )
    assert verdict.action is action


@pytest.mark.parametrize(
    ("work", "action"),
    [
        (InstanceWork(in_hand=0, idle_s=299, working_slots=1), IdleAction.STAY),
        (InstanceWork(in_hand=0, idle_s=300, working_slots=1), IdleAction.LEAVE),
        (InstanceWork(in_hand=1, idle_s=999, working_slots=1), IdleAction.STAY),
        (InstanceWork(in_hand=0, idle_s=0, working_slots=1, cordoned=True), IdleAction.LEAVE),
        (InstanceWork(in_hand=1, idle_s=0, working_slots=0, cordoned=True), IdleAction.STAY),
        (InstanceWork(in_hand=0, idle_s=0, working_slots=0), IdleAction.LEAVE),
    ],
)
def test_given_what_is_in_hand_then_an_instance_leaves_only_with_empty_hands(
    work: InstanceWork, action: IdleAction
) -> None:
    assert decide(work, idle_limit_s=300) is action
