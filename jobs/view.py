"""A job as the API and the events show it: the OpenAI Videos object, and our fields beside it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.job import Attempt, AttemptOutcome, Door, Job, JobError, Phase
from jobs.origin import Origin, OriginKind
from jobs.request import Lora, OutputBody, ShotBody
from jobs.states import State
from models.catalog import seconds_of


class _Shown(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class CostView(_Shown):
    """US$: predicted at acceptance, and what it came to."""

    estimated_usd: float | None = None
    actual_usd: float | None = None


class AttemptView(_Shown):
    """One try at the job. Times are unix seconds; steps count finished denoise steps. `steps_lost` were done, and had
    to be done again; `seconds` is the time from the claim to the end; `cost_usd` what the slot cost, where known."""

    number: int
    started_at: int
    ended_at: int | None = None
    outcome: AttemptOutcome
    instance_id: str
    slot: str
    resumed_from_step: int
    last_step: int
    steps_done: int
    steps_lost: int
    seconds: float | None = None
    cost_usd: float | None = None
    reason: str | None = None


class OutputsView(_Shown):
    """The finished video: size in pixels, playing time in seconds, and the paths of its files in the API."""

    width: int
    height: int
    num_frames: int
    fps: int
    bytes: int
    seconds: float
    video: str
    thumbnail: str
    spritesheet: str


class SourceView(_Shown):
    """The door a job came through; `key` and `line` name the place in a dropped file."""

    door: Door
    key: str | None = None
    line: int | None = None


class OriginView(_Shown):
    """What the video was made from: `kind` says how, `video_id` is None for a video that was sent along."""

    kind: OriginKind
    video_id: str | None = None


class VideoView(_Shown):
    """The video object. OpenAI's fields first; `seconds` is a string and `progress` whole percent, as there."""

    id: str
    object: Literal["video"] = "video"
    created_at: int
    completed_at: int | None = None
    expires_at: int | None = None
    error: JobError | None = None
    model: str
    progress: int = Field(ge=0, le=100)
    prompt: str
    remixed_from_video_id: str | None = None
    seconds: str
    size: str
    status: State
    negative_prompt: str
    shots: tuple[ShotBody, ...] = ()
    continuity: str
    num_frames: int
    fps: int
    seed: int
    num_inference_steps: int
    guidance_scale: float
    guidance_scale_2: float | None = None
    scheduler: str | None = None
    flow_shift: float | None = None
    has_image: bool
    loras: tuple[Lora, ...] = ()
    tier: str | None = None
    priority: str
    deadline: int | None = None
    metadata: dict[str, str]
    output: OutputBody
    origin: OriginView | None = None
    character_id: str | None = Field(default=None, description="The character that this job trains first")
    source: SourceView
    phase: Phase | None = None
    step: int
    total_steps: int
    started_at: int | None = None
    cancel_requested: bool
    trace_id: str | None = None
    queue_position: int | None = None
    eta_seconds: int | None = None
    cost: CostView
    seconds_by_phase: dict[str, float]
    attempts: tuple[AttemptView, ...] = ()
    outputs: OutputsView | None = None


def video_view(job: Job, *, queue_position: int | None = None, eta_seconds: float | None = None) -> VideoView:
    """The job as its owner sees it."""
    request = job.request
    return VideoView(
        id=job.id,
        created_at=int(job.created_at),
        completed_at=_whole(job.completed_at),
        error=job.error,
        model=request.model,
        progress=progress(job),
        prompt=request.prompt,
        remixed_from_video_id=job.remixed_from_video_id,
        seconds=seconds_of(request.total_frames, request.fps),
        size=request.size,
        status=job.status,
        negative_prompt=request.negative_prompt,
        shots=request.shots,
        continuity=request.continuity,
        num_frames=request.total_frames,
        fps=request.fps,
        seed=request.seed,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        guidance_scale_2=request.guidance_scale_2,
        scheduler=request.scheduler,
        flow_shift=request.flow_shift,
        has_image=request.has_image,
        loras=request.loras,
        tier=request.tier,
        priority=request.priority,
        deadline=request.deadline,
        metadata=request.metadata,
        output=request.output,
        origin=_origin(job.origin),
        character_id=None if job.training is None else job.training.character_id,
        source=SourceView(door=job.source.door, key=job.source.key, line=job.source.line),
        phase=job.phase,
        step=job.step,
        total_steps=job.total_steps,
        started_at=_whole(job.started_at),
        cancel_requested=job.cancel_requested,
        trace_id=job.trace_id,
        queue_position=queue_position,
        eta_seconds=_whole(eta_seconds),
        cost=CostView(estimated_usd=None if job.estimate is None else job.estimate.cost_usd, actual_usd=job.cost_usd),
        seconds_by_phase=job.seconds_by_phase,
        attempts=_attempts(job),
        outputs=_outputs(job),
    )


def _origin(origin: Origin | None) -> OriginView | None:
    return None if origin is None else OriginView(kind=origin.kind, video_id=origin.video_id)


def progress(job: Job) -> int:
    """Whole percent of the denoise steps; 100 only for a completed video."""
    if job.status is State.COMPLETED:
        return 100
    if job.total_steps <= 0:
        return 0
    return min(99, 100 * job.step // job.total_steps)


def content_path(job_id: str, variant: str) -> str:
    """Where the API serves a finished file."""
    return f"/v1/videos/{job_id}/content?variant={variant}"


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)


def _attempts(job: Job) -> tuple[AttemptView, ...]:
    """Each with the step that the next one resumed from, or would resume from."""
    would_resume = job.checkpoint_step if job.status is State.QUEUED else None
    next_steps = [*(attempt.resumed_from_step for attempt in job.attempts[1:]), would_resume]
    return tuple(_attempt(job, *pair) for pair in zip(job.attempts, next_steps, strict=False))


def _attempt(job: Job, attempt: Attempt, next_step: int | None) -> AttemptView:
    last_step = attempt.last_step if attempt.ended_at is not None else job.step
    return AttemptView(
        number=attempt.number,
        started_at=int(attempt.started_at),
        ended_at=_whole(attempt.ended_at),
        outcome=attempt.outcome,
        instance_id=attempt.instance_id,
        slot=attempt.slot,
        resumed_from_step=attempt.resumed_from_step,
        last_step=last_step,
        steps_done=max(0, last_step - attempt.resumed_from_step),
        steps_lost=0 if next_step is None else max(0, last_step - next_step),
        seconds=None if attempt.ended_at is None else round(attempt.ended_at - attempt.started_at, 3),
        cost_usd=attempt.cost_usd,
        reason=attempt.reason,
    )


def _outputs(job: Job) -> OutputsView | None:
    if job.outputs is None:
        return None
    known = job.outputs.model_dump(include={"width", "height", "num_frames", "fps", "bytes", "seconds"})
    paths = {variant: content_path(job.id, variant) for variant in ("video", "thumbnail", "spritesheet")}
    return OutputsView(**known, **paths)
