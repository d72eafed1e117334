"""Training a character as part of a job: what is asked (`TrainingBody`), and what is accepted (`TrainingPlan`).

A training job is a job like any other. Its `request` is the video that shows the result: made once the LoRA is there,
and on the way every `sample_every` steps with the same prompt and seed.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from models.catalog import ModelSpec

MAX_STEPS = 20_000
MAX_RANK = 128
MAX_PRIOR_PROMPTS = 64
SAMPLES = 8  # on the way, unless the request says how often
_Prompt = Annotated[str, Field(min_length=1, max_length=800)]


class TrainingBody(BaseModel):
    """How to train; whatever is left out has the model's default. `steps` are optimiser steps over all experts.

    `caption_dropout` is the share of pictures shown without their caption. `clip_frames`: for how many frames a picture
    is held: 1 unless the model never saw single frames. `prior_weight` holds the model to its own
    predictions on `prior_prompts`, which do not name the trigger. `sample_every` 0: no samples on the way."""

    model_config = ConfigDict(defer_build=True, strict=True, extra="forbid", frozen=True)

    steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    rank: Annotated[int, Field(ge=1, le=MAX_RANK)] | None = None
    alpha: Annotated[float, Field(gt=0, le=1024)] | None = None
    learning_rate: Annotated[float, Field(ge=1e-6, le=1e-1)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=32)] | None = None
    caption_dropout: Annotated[float, Field(ge=0, le=0.9)] | None = None
    clip_frames: Annotated[int, Field(ge=1, le=121)] | None = None
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
    prior_weight: float
    prior_prompts: tuple[str, ...] = ()
    size: str
    sample_prompt: str
    sample_every: int
    seed: int


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
    """Fill in what is left out. The defaults of full-size models are those in common use for a character's LoRA; those
    of the small ones are a guess that a CPU can afford: no run has shown better ones yet (docs/characters.md)."""
    small = spec.embedded
    steps = body.steps or (600 if small else 1_500)
    rank = body.rank or 16
    return TrainingSettings(
        steps=steps,
        rank=rank,
        alpha=body.alpha or float(rank),
        learning_rate=body.learning_rate or (2e-3 if small else 1e-4),
        batch_size=body.batch_size or (2 if small else 1),
        caption_dropout=0.05 if body.caption_dropout is None else body.caption_dropout,
        clip_frames=body.clip_frames or (5 if small else 1),
        prior_weight=(1.0 if body.prior_prompts else 0.0) if body.prior_weight is None else body.prior_weight,
        prior_prompts=tuple(body.prior_prompts or ()),
        size=body.size or str(spec.default.size),
        sample_prompt=body.sample_prompt or trigger,
        sample_every=max(1, steps // SAMPLES) if body.sample_every is None else body.sample_every,
        seed=seed if body.seed is None else body.seed,
    )
