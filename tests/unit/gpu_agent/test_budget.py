"""What still fits into a notice, and how often checkpoints are taken."""

from gpu_agent.budget import NoticeAction, WorkUnderWay, act_on_notice, give_up_step_after_s
from gpu_agent.cadence import Cadence, checkpoint_due, steps_at_risk


def work(phase: str = "denoise", *, step_s: float | None = 20, since_s: float = 5, **more: float) -> WorkUnderWay:
    return WorkUnderWay(phase=phase, step_s=step_s, since_step_s=since_s, save_s=1, upload_s=4, **more)


def test_given_a_notice_of_two_minutes_when_the_step_fits_then_it_is_finished() -> None:
    assert act_on_notice(work(), remaining_s=120, margin_s=8) is NoticeAction.FINISH_STEP


def test_given_a_step_longer_than_the_notice_then_the_last_checkpoint_is_kept() -> None:
    assert act_on_notice(work(step_s=200), remaining_s=120, margin_s=8) is NoticeAction.KEEP_LAST_CHECKPOINT


def test_given_a_step_that_fits_but_its_upload_does_not_then_the_last_checkpoint_is_kept() -> None:
    # 15 s of step + 1 s save + 4 s upload need 20 s; 19 s are usable.
    assert act_on_notice(work(), remaining_s=27, margin_s=8) is NoticeAction.KEEP_LAST_CHECKPOINT
    assert act_on_notice(work(), remaining_s=28, margin_s=8) is NoticeAction.FINISH_STEP


def test_given_no_step_so_far_then_there_is_nothing_to_save() -> None:
    assert act_on_notice(work("encode", step_s=None), remaining_s=120, margin_s=8) is NoticeAction.KEEP_LAST_CHECKPOINT


def test_given_decoding_when_the_rest_fits_then_the_video_is_finished() -> None:
    assert act_on_notice(work("decode", finish_s=60), remaining_s=120, margin_s=8) is NoticeAction.FINISH_VIDEO
    assert act_on_notice(work("decode", finish_s=130), remaining_s=120, margin_s=8) is NoticeAction.FINISH_STEP


def test_given_a_step_to_be_finished_then_waiting_for_it_leaves_time_for_the_upload() -> None:
    assert give_up_step_after_s(work(), remaining_s=120, margin_s=8) == 120 - 8 - 4


def test_given_an_interval_then_a_checkpoint_is_due_after_it_and_after_the_last_step() -> None:
    cadence = Cadence(interval_s=60, max_overhead=0.005)
    assert not checkpoint_due(cadence, since_last_s=59, last_cost_s=0.1, step=3, total_steps=40)
    assert checkpoint_due(cadence, since_last_s=60, last_cost_s=0.1, step=3, total_steps=40)
    assert checkpoint_due(cadence, since_last_s=1, last_cost_s=0.1, step=40, total_steps=40)


def test_given_a_costly_checkpoint_then_the_interval_stretches_to_keep_the_overhead() -> None:
    cadence = Cadence(interval_s=60, max_overhead=0.005)
    assert not checkpoint_due(cadence, since_last_s=199, last_cost_s=1.0, step=3, total_steps=40)
    assert checkpoint_due(cadence, since_last_s=200, last_cost_s=1.0, step=3, total_steps=40)
    assert steps_at_risk(cadence, step_s=24, checkpoint_cost_s=0.1) == 4
