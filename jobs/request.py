"""What a user asks for: as it comes in (`RequestBody`) and as it is accepted (`VideoRequest`).

`RequestBody` is strict JSON: a wrong type or an unknown field is an error. `VideoRequest` has every default of the
model filled in, a seed drawn, and is never changed once accepted. `jobs.validation` leads from the first to the second.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from jobs.webhooks.types import DEFAULT_TYPES, SECRET_PATTERN, NamedType, WebhookType, is_secret

MAX_TEXT_CHARS = 20_000  # of any one text, whatever the model allows: a job record must fit DynamoDB's 400 KB item
MAX_SHOTS = 50
MAX_LORAS = 4
MAX_METADATA = 16  # pairs, as in OpenAI's APIs: keys to 64 characters, values to 512
MAX_SEED = 2**63 - 1
MAX_IMAGE_CHARS = 6_000_000  # a data URL; Lambda's synchronous payload is 6 MB

FACTORS = (1, 2, 4)  # what models.output multiplies sides and frame rate by

Codec = Literal["h264", "h265", "prores"]  # those of models.output, which a Lambda does not load; a test compares
Continuity = Literal["cut", "chain"]
Priority = Literal["low", "normal", "high"]
Tier = Literal["exact", "fast"]  # as models.placement has them


def _representable(value: float) -> float:
    # DynamoDB's numbers go down to 1e-130, doubles to 5e-324; what lies between is 0 to every model.
    return 0.0 if abs(value) < 1e-100 else value


def _offered(factor: int) -> int:
    if factor not in FACTORS:
        raise ValueError(f"must be one of {', '.join(map(str, FACTORS))}")
    return factor


_SecondsText = Annotated[str, Field(json_schema_extra={"pattern": r"^[0-9]{1,6}(\.[0-9]{1,6})?$"})]
_SecondsNumber = Annotated[float, Field(json_schema_extra={"exclusiveMinimum": 0, "maximum": 86_400})]
_Factor = Annotated[int, AfterValidator(_offered), Field(json_schema_extra={"enum": list(FACTORS)})]
# The bounds stand before the validator: behind it, pydantic writes them as keywords that no schema has.
_FlowShift = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False), AfterValidator(_representable)]
_Guidance = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False), AfterValidator(_representable)]


class _Strict(BaseModel):
    model_config = ConfigDict(defer_build=True, strict=True, extra="forbid", frozen=True)


class ShotBody(_Strict):
    """One shot of a multi-shot video. Shots without `num_frames` share what is left evenly."""

    prompt: Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)]
    num_frames: Annotated[int, Field(gt=0)] | None = None


_LoraName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
_LoraScale = Annotated[float, Field(ge=-4, le=4, allow_inf_nan=False), AfterValidator(_representable)]


class Lora(_Strict):
    """A LoRA by its name below `loras/`: the operator's, or a version of a character."""

    name: _LoraName
    scale: _LoraScale = 1.0


class LoraBody(_Strict):
    """A LoRA to use, by its `name`, or a `character` of yours by its name or id, in its newest version unless given."""

    name: _LoraName | None = None
    character: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    version: Annotated[int, Field(gt=0)] | None = None
    scale: _LoraScale = 1.0

    @model_validator(mode="after")
    def _one_of_both(self) -> "LoraBody":
        if (self.name is None) == (self.character is None):
            raise ValueError("give either 'name' or 'character'")
        if self.version is not None and self.character is None:
            raise ValueError("'version' is of a 'character'")
        return self


class InputReference(_Strict):
    """The OpenAI dialect's way to give an input image; the same as `image`."""

    image_url: Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_CHARS)] | None = None
    file_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class OutputBody(_Strict):
    """How the video is encoded: H.264 and H.265 as MP4, ProRes 422 HQ as MOV.

    `upscale` multiplies the sides (Lanczos), `interpolate` the frame rate (motion compensated)."""

    codec: Codec = "h264"
    upscale: _Factor = 1
    interpolate: _Factor = 1


class SourceVideo(BaseModel):
    """The video that an edit or extension begins at. `key` is in the media bucket.

    `extend`: its last frame is the input image, and its `num_frames` frames come before what is made. `edit`: its
    first frame is the input image, and none of it is shown."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)

    key: str
    use: Literal["edit", "extend"]
    num_frames: Annotated[int, Field(gt=0)]


def _strong(secret: str) -> str:
    if not is_secret(secret):
        raise ValueError("must be 'whsec_' and the base64 of 24 to 64 bytes")
    return secret


class RequestWebhook(_Strict):
    """A URL that is told of this one video, signed (Standard Webhooks) by the caller's own secret."""

    url: Annotated[str, Field(min_length=1, max_length=2048, json_schema_extra={"format": "uri"})]
    secret: Annotated[
        str, Field(max_length=100, repr=False, json_schema_extra={"pattern": SECRET_PATTERN}), AfterValidator(_strong)
    ]
    event_types: Annotated[list[NamedType], Field(min_length=1, max_length=len(WebhookType))] = list(DEFAULT_TYPES)


Metadata = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=MAX_METADATA),
]


class RequestBody(_Strict):
    """The body of `POST /v1/videos`, and of every other door. Only one of `prompt` and `shots` is needed.

    `tier`: `exact` computes in bfloat16 as published, `fast` with quantised weights; left out: the deployment's.
    `scheduler`: one of the model's; left out: the published one. LoRAs for four steps want `flow-match-euler`.
    `flow_shift`: how far noise levels are moved towards noise; left out: the published one. Larger ones spend more of
    the steps on composition and motion, smaller ones on detail."""

    model: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    prompt: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] | None = None
    shots: Annotated[list[ShotBody], Field(min_length=1, max_length=MAX_SHOTS)] | None = None
    continuity: Continuity = "cut"
    negative_prompt: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] | None = None
    seconds: _SecondsText | _SecondsNumber | None = None
    num_frames: Annotated[int, Field(gt=0)] | None = None
    size: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$")] | None = None
    fps: Annotated[int, Field(gt=0, le=240)] | None = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = None
    num_inference_steps: Annotated[int, Field(gt=0)] | None = None
    guidance_scale: _Guidance | None = None
    guidance_scale_2: _Guidance | None = None
    scheduler: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    flow_shift: _FlowShift | None = None
    image: Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_CHARS)] | None = None
    input_reference: InputReference | None = None
    loras: Annotated[list[LoraBody], Field(max_length=MAX_LORAS)] | None = None
    tier: Tier | None = None
    priority: Priority = "normal"
    deadline: Annotated[int, Field(gt=0, le=2**40)] | None = None
    metadata: Metadata | None = None
    webhook: RequestWebhook | None = None
    output: OutputBody = OutputBody()


class RemixBody(RequestBody):
    """The body of `POST /v1/videos/{id}/remix`: a new prompt, and what else is to differ from the video."""

    prompt: Annotated[str, Field(max_length=MAX_TEXT_CHARS)]


class VideoReference(_Strict):
    """A completed video, or an upload."""

    id: Annotated[str, Field(min_length=1, max_length=200)]


class EditBody(RemixBody):
    """The body of `POST /v1/videos/edits` and `/v1/videos/extensions`; an extension needs `seconds` or `num_frames`.

    `video` is a reference, an upload id or a data URL."""

    video: VideoReference | Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_CHARS)]


class VideoRequest(BaseModel):
    """An accepted request: nothing is left to default.

    `deadline` is unix seconds; `image` a key of the media bucket; `video` what an edit or extension begins at.
    `size` is `<width>x<height>` in pixels; a single prompt has no `shots`. `num_frames` counts the video, or, on models
    that make shots one by one, a shot that does not give its own (here all of them do: see `jobs.shot_plan`)."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)

    model: str
    prompt: str
    negative_prompt: str = ""
    shots: tuple[ShotBody, ...] = ()
    continuity: Continuity = "cut"
    size: str
    num_frames: int
    fps: int
    seed: int
    num_inference_steps: int
    guidance_scale: float
    guidance_scale_2: float | None = None
    scheduler: str | None = None
    flow_shift: float | None = None
    image: str | None = None
    video: SourceVideo | None = None
    loras: tuple[Lora, ...] = ()
    tier: Tier | None = None
    priority: Priority = "normal"
    deadline: int | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    webhook: RequestWebhook | None = None
    output: OutputBody = OutputBody()

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.size.split("x")[0])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.size.split("x")[1])

    @property
    def has_image(self) -> bool:
        """Whether the model begins at an image: one that was given, or a frame of a video."""
        return self.image is not None or self.video is not None

    @property
    def frames_before(self) -> int:
        """Frames of the finished video that are not made but taken over: an extended video but for its last frame,
        which is the first one that the model makes again."""
        return self.video.num_frames - 1 if self.video is not None and self.video.use == "extend" else 0

    @property
    def total_frames(self) -> int:
        """Frames of the whole video, over all shots, with what an extension continues."""
        lengths = [shot.num_frames for shot in self.shots if shot.num_frames is not None]
        return self.frames_before + (sum(lengths) if lengths else self.num_frames)

    @property
    def seconds(self) -> float:
        """Length by the catalog's rule: n frames span (n - 1) / fps seconds, so 17 frames at 16 fps are 1 s."""
        return (self.total_frames - 1) / self.fps
