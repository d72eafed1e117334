"""What the API shows beside videos: models, quotes, the fleet. The OpenAPI document is generated from these."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from jobs.fleet import Instance, Slot
from jobs.fleet_history import Sample
from jobs.fleet_plan import FleetPlan
from jobs.job import Estimate
from jobs.s3_keys import Asset
from jobs.view import VideoView
from models.catalog import ModelSpec


class _Shown(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class ErrorBody(_Shown):
    """OpenAI's error object."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorView(_Shown):
    """Every answer from 400 on."""

    error: ErrorBody


class VideoListView(_Shown):
    """One page of videos; `last_id` is the next page's `after`."""

    object: Literal["list"] = "list"
    data: list[VideoView]
    has_more: bool
    first_id: str | None
    last_id: str | None


class ContentView(_Shown):
    """A finished file: a signed URL that shows it, one that saves it, until `expires_at` (unix seconds)."""

    object: Literal["video.content"] = "video.content"
    variant: Asset
    url: str
    download_url: str
    expires_at: int


class VideoDeletedView(_Shown):
    """The answer to a deletion."""

    id: str
    deleted: bool
    object: Literal["video.deleted"] = "video.deleted"


class FrameRuleView(_Shown):
    """Valid frame counts: `step` times k plus `offset`, from `min` to `max`."""

    step: int
    offset: int
    min: int
    max: int


class LicenceView(_Shown):
    """The licence of the weights."""

    name: str
    url: str
    commercial_use: str
    note: str


class TypicalView(_Shown):
    """What a video of the model's defaults takes on `slot`: seconds of computing, of loading the model, and US$ (null
    without a known price)."""

    slot: str
    compute_seconds: float
    load_seconds: float
    cost_usd: float | None


class ModelView(_Shown):
    """OpenAI's model object and our spec. `runnable` is null until an instance has reported; `reason` says why not.
    LoRAs and characters that were trained for `takes_loras_of` fit this model too."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str
    title: str
    tasks: list[str]
    sizes: list[str]
    frames: FrameRuleView
    fps: int
    default_size: str
    default_num_frames: int
    default_num_inference_steps: int
    default_guidance_scale: float
    min_num_inference_steps: int
    max_num_inference_steps: int
    max_prompt_chars: int
    max_prompt_tokens: int
    max_shots: int
    schedulers: tuple[str, ...]
    takes_flow_shift: bool
    supports_lora: bool
    takes_loras_of: str | None
    supports_negative_prompt: bool
    multi_shot: str
    licence: LicenceView
    typical: TypicalView
    runnable: bool | None
    reason: str | None


class ModelListView(_Shown):
    """The catalog."""

    object: Literal["list"] = "list"
    data: list[ModelView]


class EstimateView(_Shown):
    """A quote. `feasible` is null until an instance has reported what it can run; `cost_usd` without a known price.
    `slot` is where it would run, `eta_seconds` when it would be done if it were asked for now: after what waits, boot
    and weight load included; null if no slot can run it."""

    object: Literal["video.estimate"] = "video.estimate"
    model: str
    feasible: bool | None
    reason: str | None
    slot: str
    compute_seconds: float
    load_seconds: float
    eta_seconds: int | None
    cost_usd: float | None
    size: str
    num_frames: int
    fps: int
    num_inference_steps: int


class SlotView(Slot):
    """The GPUs of one worker process. `job_id` is null where `busy` with another owner's job."""

    busy: bool


class InstanceView(Instance):
    """One running instance."""

    slots: tuple[SlotView, ...]


class FleetView(_Shown):
    """The instances heard of lately, the jobs of each model, the seconds of work that wait on a slot, and what the
    planner last decided (null before its first run): why nothing starts, and what the month has cost."""

    object: Literal["fleet"] = "fleet"
    instances: list[InstanceView]
    queued: dict[str, int]
    running: dict[str, int]
    backlog_seconds: dict[str, float]
    plan: FleetPlan | None = None


class FleetHistoryView(_Shown):
    """What the planner saw, a sample a minute (thinner over more than a day), the oldest first."""

    object: Literal["list"] = "list"
    data: list[Sample]


def model_view(spec: ModelSpec, *, runnable: bool | None, reason: str | None, predicted: Estimate) -> ModelView:
    """The catalog's entry as the API shows it."""
    rule, licence = spec.frame_rule, spec.licence
    return ModelView(
        id=spec.id,
        owned_by=spec.family,
        title=spec.title,
        tasks=sorted(spec.tasks),
        sizes=[str(size) for size in spec.sizes],
        frames=FrameRuleView(step=rule.step, offset=rule.offset, min=rule.min, max=rule.max),
        fps=spec.fps,
        default_size=str(spec.default.size),
        default_num_frames=spec.default.num_frames,
        default_num_inference_steps=spec.default.num_inference_steps,
        default_guidance_scale=spec.default.guidance_scale,
        min_num_inference_steps=spec.limits.min_inference_steps,
        max_num_inference_steps=spec.limits.num_inference_steps,
        max_prompt_chars=spec.limits.prompt_chars,
        max_prompt_tokens=spec.limits.prompt_tokens,
        max_shots=spec.limits.shots,
        schedulers=spec.schedulers,
        takes_flow_shift=spec.takes_flow_shift,
        supports_lora=spec.supports_lora,
        takes_loras_of=spec.takes_loras_of,
        supports_negative_prompt=spec.supports_negative_prompt,
        multi_shot=spec.multi_shot,
        licence=LicenceView(
            name=licence.name, url=licence.url, commercial_use=licence.commercial_use, note=licence.note
        ),
        typical=TypicalView(
            slot=predicted.slot,
            compute_seconds=round(predicted.seconds, 3),
            load_seconds=round(predicted.load_s, 3),
            cost_usd=predicted.cost_usd,
        ),
        runnable=runnable,
        reason=reason,
    )
