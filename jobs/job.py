"""The job record: the truth about one request on its way to a video."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.origin import Origin
from jobs.request import VideoRequest
from jobs.states import State
from jobs.training import TrainingPlan

Phase = Literal["load", "encode", "train", "denoise", "decode", "upload"]
AttemptOutcome = Literal["running", "completed", "interrupted", "lost", "crashed", "failed", "cancelled"]
DEFAULT_OWNER = "default"  # whose jobs come through doors that know no key: the drop folder, the bus
Door = Literal["api", "drop_folder", "event"]


class _Record(BaseModel):
    # Fields that a newer release wrote are passed over: two releases run side by side while one is deployed.
    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)


class JobError(_Record):
    """Why a job failed, for the caller: `code` for programs, `message` for people."""

    code: str
    message: str


class Source(_Record):
    """The door a job came through; the drop folder's fields say where its results go.

    `nth` counts, from 1, the requests that begin on the same line of a dropped file."""

    door: Door
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None
    etag: str | None = None
    line: int | None = None
    nth: int = 1
    event_id: str | None = None


class Attempt(_Record):
    """One agent's try. `number` is the fence. Times are unix seconds; steps count finished denoise steps.

    `usd_per_hour` is the slot's price as its agent knew it, `cost_usd` what the attempt came to; None: nobody knows."""

    number: int
    instance_id: str
    slot: str
    started_at: float
    ended_at: float | None = None
    outcome: AttemptOutcome = "running"
    resumed_from_step: int = 0
    last_step: int = 0
    reason: str | None = None
    usd_per_hour: float | None = None
    cost_usd: float | None = None


class Outputs(_Record):
    """Where the finished files are (keys of `bucket`), and what the video is. `seconds` is its playing time."""

    bucket: str
    video: str
    thumbnail: str
    spritesheet: str
    width: int
    height: int
    num_frames: int
    fps: int
    bytes: int
    seconds: float


class Estimate(_Record):
    """What was predicted at acceptance: seconds of work on a slot, and US$ where its price is known.

    `load_s` is for a worker that has to load the model first, `boot_s` for an instance that has to boot first."""

    slot: str
    seconds: float
    load_s: float
    boot_s: float = 0.0
    cost_usd: float | None = None


class Charge(_Record):
    """The API key's account that the job is booked to, and what was reserved there, in millionths of a US$.

    `bound`: the key has limits, and the job counts among its jobs under way."""

    key_id: str
    month: str
    reserved_musd: int
    bound: bool


class Redrive(_Record):
    """An operator's second chance for a failed job: when it was given, after which attempt, and what those had cost."""

    at: float
    after_attempt: int
    cost_usd: float | None = None


class Job(_Record):
    """One job. Times are unix seconds, money is US$, steps count finished denoise steps over all shots."""

    id: str
    owner: str
    status: State
    trace_id: str | None = None  # of the request that made it, as AWS X-Ray writes one; on every log line about it
    request: VideoRequest
    source: Source
    created_at: float
    updated_at: float
    queued_at: float
    sent_at: float | None = None
    started_at: float | None = None
    completed_at: float | None = None
    attempt: int = 0
    attempts: tuple[Attempt, ...] = ()
    lease_expires_at: float | None = None
    phase: Phase | None = None
    step: int = 0
    total_steps: int = 0
    checkpoint_step: int = 0
    cancel_requested: bool = False
    crashes: int = 0
    redrive: Redrive | None = None  # the newest
    machines_failing_since: float | None = None  # for as long as no attempt ended otherwise
    estimate: Estimate | None = None
    error: JobError | None = None
    outputs: Outputs | None = None
    seconds_by_phase: dict[str, float] = Field(default_factory=dict)
    cost_usd: float | None = None
    remixed_from_video_id: str | None = None
    charge: Charge | None = None
    origin: Origin | None = None
    training: TrainingPlan | None = None  # a LoRA that is trained first; `request` is the video that shows it
    revision: int = 0

    @property
    def model(self) -> str:
        return self.request.model

    @property
    def has_begun(self) -> bool:
        """Whether an attempt was made since it was accepted; of a redriven job, which is made anew, since then."""
        return self.attempt > (0 if self.redrive is None else self.redrive.after_attempt)

    def is_too_late(self, now: float) -> bool:
        """Whether its deadline, by which it was to begin, has passed without that. What has begun is finished, however
        often it is interrupted."""
        return self.request.deadline is not None and now >= self.request.deadline and not self.has_begun

    @property
    def waiting_since(self) -> float:
        """From when on it is counted how long the job has waited for capacity; an interruption does not begin anew."""
        return self.created_at if self.redrive is None else self.redrive.at

    @property
    def ending_id(self) -> str:
        """What the job's end is booked under, once: a job that is redriven ends once more."""
        return self.id if self.redrive is None else f"{self.id}#{self.redrive.after_attempt}"


class Heartbeat(_Record):
    """The answer to a heartbeat."""

    cancel_requested: bool
    lease_expires_at: float
