"""What to do with the step under way when the machine is about to be taken: a pure decision over seconds."""

from dataclasses import dataclass
from enum import StrEnum

PHASES_WITHOUT_STATE = frozenset({"load", "encode"})  # nothing new to save before the first denoise step
PHASES_OF_STEPS = frozenset({"train", "denoise"})


class NoticeAction(StrEnum):
    FINISH_VIDEO = "finish-video"
    FINISH_STEP = "finish-step"
    KEEP_LAST_CHECKPOINT = "keep-last-checkpoint"


@dataclass(frozen=True, kw_only=True)
class WorkUnderWay:
    """One running job as the parent sees it when the notice arrives.

    `phase` is the model's own word (encode, train, denoise, decode). `step_s` is the usual length of a step, None
    before the first one has ended. `since_step_s` is the time spent in the step under way. `save_s` and `upload_s` are
    what writing and uploading a checkpoint took, or are expected to take. `finish_s` is what decoding, encoding and
    uploading the video are expected to take, None where nobody knows.
    """

    phase: str
    step_s: float | None
    since_step_s: float
    save_s: float
    upload_s: float
    finish_s: float | None = None


def act_on_notice(work: WorkUnderWay, *, remaining_s: float, margin_s: float) -> NoticeAction:
    """Choose what still fits into `remaining_s`, less `margin_s` for releasing the message and writing the record.

    A step that is longer than the notice is given up at once: waiting for it could only lose the time in which
    the last periodic checkpoint can still be uploaded.
    """
    usable_s = remaining_s - margin_s
    if work.phase == "decode" and work.finish_s is not None and work.finish_s <= usable_s:
        return NoticeAction.FINISH_VIDEO
    if work.phase in PHASES_WITHOUT_STATE:
        return NoticeAction.KEEP_LAST_CHECKPOINT
    rest_of_step_s = 0.0
    if work.phase in PHASES_OF_STEPS:
        if work.step_s is None:
            # Nothing is known about the step's length; the parent still gives it up when the time is over.
            return (
                NoticeAction.FINISH_STEP
                if work.save_s + work.upload_s <= usable_s
                else NoticeAction.KEEP_LAST_CHECKPOINT
            )
        rest_of_step_s = max(0.0, work.step_s - work.since_step_s)
    if rest_of_step_s + work.save_s + work.upload_s <= usable_s:
        return NoticeAction.FINISH_STEP
    return NoticeAction.KEEP_LAST_CHECKPOINT


def give_up_step_after_s(work: WorkUnderWay, *, remaining_s: float, margin_s: float) -> float:
    """Seconds to wait for a step that was to be finished before falling back to the last checkpoint."""
    return max(0.0, remaining_s - margin_s - work.upload_s)
