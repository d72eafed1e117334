"""The events on the bus. They come from the table's stream alone: what a conditional write recorded is what is
published, whoever dies in between. `changes` is the pure part: old and new record to events."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.job import Job
from jobs.request import RequestBody
from jobs.states import State, is_terminal
from jobs.view import VideoView, video_view

EVENT_SOURCE = "revalida.video"
REQUESTED = "Video Requested"
WEBHOOK_DISABLED = "Webhook Disabled"


class EventType(StrEnum):
    """The detail types."""

    QUEUED = "Video Queued"
    STARTED = "Video Started"
    PROGRESSED = "Video Progressed"
    INTERRUPTED = "Video Interrupted"
    RESUMED = "Video Resumed"
    COMPLETED = "Video Completed"
    FAILED = "Video Failed"
    CANCELLED = "Video Cancelled"

    @property
    def word(self) -> str:
        """`completed`, as in the event's id."""
        return self.value.removeprefix("Video ").lower()


class _Detail(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class S3Outputs(_Detail):
    """Where the finished files lie: one bucket, three keys."""

    bucket: str
    video: str
    thumbnail: str
    spritesheet: str


class EventDetail(_Detail):
    """The `detail` of every event. `event_id` is the same in every delivery and replay; `seconds` is work by phase."""

    version: Literal["1"] = "1"
    event_id: str
    type: EventType
    owner: str
    job: VideoView
    outputs: S3Outputs | None = None
    seconds: dict[str, float] = Field(default_factory=dict)
    cost_usd: float | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class WebhookDisabledDetail(_Detail):
    """The `detail` of `Webhook Disabled`: an endpoint that will be told nothing more until its owner enables it."""

    version: Literal["1"] = "1"
    event_id: str
    owner: str
    webhook_id: str
    url: str
    reason: str
    failing_since: int = Field(description="Unix seconds of the first failure with no success after it")


class RequestedDetail(RequestBody):
    """The `detail` of `Video Requested`, the event that asks for a video: a request, as in the API. `request_id`
    recognises repeats; without it the event's own id does."""

    version: Literal["1"] = "1"
    request_id: str | None = Field(default=None, min_length=1, max_length=200)


def event_id(job_id: str, kind: EventType, attempt: int, step: int | None = None) -> str:
    """`<job>:<type>:<attempt>`, and the step for progress."""
    stem = f"{job_id}:{kind.word}:{attempt}"
    return stem if step is None else f"{stem}:{step}"


def changes(old: Job | None, new: Job | None) -> list[EventDetail]:
    """What is to be told of a change of the record, in order. A record that is new or gone is None on that side."""
    if new is None:
        # Deleted while under way: whoever waits for the end of it learns that there is none.
        if old is None or is_terminal(old.status):
            return []
        return [_event(old.model_copy(update={"status": State.CANCELLED}), EventType.CANCELLED, old.attempt)]
    if old is None:
        return [_event(new, EventType.QUEUED, new.attempt)]
    if old.status is new.status is State.IN_PROGRESS:
        return _while_running(old, new)
    if is_terminal(old.status) and new.status is State.QUEUED:  # an operator tries it again
        return [_event(new, EventType.QUEUED, new.attempt)]
    return [] if old.status is new.status else [_moved(new)]


def _while_running(old: Job, new: Job) -> list[EventDetail]:
    if old.attempt != new.attempt:
        return [_event(new, EventType.INTERRUPTED, old.attempt), _event(new, EventType.RESUMED, new.attempt)]
    if old.step != new.step:
        return [_event(new, EventType.PROGRESSED, new.attempt, new.step)]
    return []


def _moved(job: Job) -> EventDetail:
    kinds = {
        State.QUEUED: EventType.INTERRUPTED,
        State.IN_PROGRESS: EventType.STARTED if job.attempt == 1 else EventType.RESUMED,
        State.COMPLETED: EventType.COMPLETED,
        State.FAILED: EventType.FAILED,
        State.CANCELLED: EventType.CANCELLED,
    }
    return _event(job, kinds[job.status], job.attempt)


def _event(job: Job, kind: EventType, attempt: int, step: int | None = None) -> EventDetail:
    outputs = None
    if job.outputs is not None:
        outputs = S3Outputs(**job.outputs.model_dump(include={"bucket", "video", "thumbnail", "spritesheet"}))
    return EventDetail(
        event_id=event_id(job.id, kind, attempt, step),
        type=kind,
        owner=job.owner,
        job=video_view(job),
        outputs=outputs,
        seconds=job.seconds_by_phase,
        cost_usd=job.cost_usd,
        metadata=job.request.metadata,
    )
