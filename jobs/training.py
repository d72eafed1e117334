"""Training a character as part of a job: what is asked (`TrainingBody`), and what is accepted (`TrainingPlan`).

A training job is a job like any other. Its `request` is the video that shows the result: made once the LoRA is there,
and on the way every `sample_every` steps with the same prompt and seed.
"""

from typing import Annotated, Literal, TypedDict, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from jobs.errors import RequestError
from models.catalog import ModelSpec
from models.catalog.training import STANDARD_MOVES, CameraMove, TrainingDefaults

MAX_STEPS = 20_000
MAX_RANK = 128
MAX_PRIOR_PROMPTS = 64
FILMED_FRAMES = 9  # the shortest clip that every model's VAE takes
SAMPLES = 8  # on the way, unless the request says how often
Value = TypeVar("Value")
_Words = Annotated[str, Field(min_length=1, max_length=200)]
_Prompt = Annotated[str, Field(min_length=1, max_length=800)]


class TrainingBody(BaseModel):
    """How to train; whatever is left out has the model's default. `steps` are optimiser steps over all experts.

    `caption_dropout` is the share of pictures shown without their caption. `clip_frames`: for how many frames a picture
    is held: 1 unless the model never saw single frames. `camera_moves`: how each picture is filmed for these frames,
    and the words that its caption gets for each move, at `[camera]` or at the end: the character is learned in motion.
    `"standard"`: with the moves and words that suit the model.
    `prior_weight` holds the model to its own predictions on `prior_prompts`, which do not name the trigger.
    `sample_every` 0: no samples on the way."""

    model_config = ConfigDict(defer_build=True, strict=True, extra="forbid", frozen=True)

    steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    rank: Annotated[int, Field(ge=1, le=MAX_RANK)] | None = None
    alpha: Annotated[float, Field(gt=0, le=1024)] | None = None
    learning_rate: Annotated[float, Field(ge=1e-6, le=1e-1)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=32)] | None = None
    caption_dropout: Annotated[float, Field(ge=0, le=0.9)] | None = None
    clip_frames: Annotated[int, Field(ge=1, le=121)] | None = None
    camera_moves: dict[CameraMove, _Words] | Literal["standard"] | None = None
    prior_weight: Annotated[float, Field(ge=0, le=100)] | None = None
    prior_prompts: Annotated[list[_Prompt], Field(max_length=MAX_PRIOR_PROMPTS)] | None = None
    size: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$")] | None = None
    sample_prompt: _Prompt | None = None
    sample_every: Annotated[int, Field(ge=0, le=MAX_STEPS)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31)] | None = None


class _Record(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)


class TrainingReference(_Record):
    """What is learned from: a picture, or a video of which `frames` (more than 0) are taken, evenly. `key` is in the
    media bucket; `sha256` is of the file."""

    key: str
    sha256: str
    caption: str | None = None
    frames: int = 0


class TrainingSettings(_Record):
    """`TrainingBody` with nothing left to default; `size` gives the number of pixels that pictures are scaled to."""

    steps: int
    rank: int
    alpha: float
    learning_rate: float
    batch_size: int
    caption_dropout: float
    clip_frames: int = 1
    camera_moves: dict[CameraMove, str] = Field(default_factory=dict)
    prior_weight: float
    prior_prompts: tuple[str, ...] = ()
    size: str
    sample_prompt: str
    sample_every: int
    seed: int


class _Filming(TypedDict):
    clip_frames: int
    camera_moves: dict[CameraMove, str]


class TrainingPlan(_Record):
    """What a training job does before it makes its video; `lora` is the name that the result gets below `loras/`."""

    character_id: str
    name: str
    version: int
    trigger: str
    lora: str
    references: tuple[TrainingReference, ...]
    settings: TrainingSettings

    def caption(self, reference: TrainingReference) -> str:
        """What a picture is said to show. Without a caption: the character, and nothing else that it should keep."""
        return reference.caption if reference.caption is not None else self.trigger


def lora_name(character_id: str, version: int) -> str:
    """`character_<ULID>.v<version>`."""
    return f"{character_id}.v{version}"


def settings_of(body: TrainingBody, spec: ModelSpec, *, trigger: str, seed: int) -> TrainingSettings:
    """Fill in what is left out. Raises RequestError where clips are asked for that the model does not know."""
    known = spec.training or TrainingDefaults()
    steps = _or(body.steps, known.steps)
    rank = _or(body.rank, known.rank)
    prior_prompts = known.prior_prompts if body.prior_prompts is None else tuple(body.prior_prompts)
    return TrainingSettings(
        steps=steps,
        rank=rank,
        alpha=_or(body.alpha, float(rank)),
        learning_rate=_or(body.learning_rate, known.learning_rate),
        batch_size=_or(body.batch_size, known.batch_size),
        caption_dropout=_or(body.caption_dropout, known.caption_dropout),
        **_filming(body, spec, known),
        prior_weight=_or(body.prior_weight, (known.prior_weight or 1.0) if prior_prompts else 0.0),
        prior_prompts=prior_prompts,
        size=body.size or str(spec.default.size),
        sample_prompt=body.sample_prompt or trigger,
        sample_every=_or(body.sample_every, max(1, steps // SAMPLES)),
        seed=_or(body.seed, seed),
    )


def _filming(body: TrainingBody, spec: ModelSpec, known: TrainingDefaults) -> _Filming:
    """For how many frames pictures are shown and with what moves. One frame does not move: moves that were not asked
    for go with it."""
    moves = dict(known.camera_moves)
    if body.camera_moves == "standard":
        moves = dict(known.camera_moves or STANDARD_MOVES)
    elif body.camera_moves is not None:
        moves = body.camera_moves
    frames = _or(body.clip_frames, known.clip_frames if known.clip_frames > 1 or not moves else FILMED_FRAMES)
    if body.camera_moves and frames == 1:
        message = f"One frame does not move: camera_moves need clip_frames of {FILMED_FRAMES}, or more."
        raise RequestError(message, param="training.clip_frames")
    below, above = spec.frame_rule.neighbours(frames)
    if frames != below:
        message = (
            f"{spec.id} takes clips of {spec.frame_rule.step}k+{spec.frame_rule.offset} frames: {below} or {above}."
        )
        raise RequestError(message, param="training.clip_frames")
    return {"clip_frames": frames, "camera_moves": moves if frames > 1 else {}}


def _or(asked: Value | None, known: Value) -> Value:
    return known if asked is None else asked
