"""A character: a LoRA to be trained from reference images or a video. The record, what makes one, and how it is shown.

The states are `queued -> training -> ready | failed`. Training is done elsewhere; here a character is taken in, checked
and kept, and once it is `ready` its id is the name of its LoRA.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jobs.job import JobError
from jobs.request import MAX_IMAGE_CHARS, VideoReference

MAX_IMAGES = 20
MAX_NAME_CHARS = 80
MIN_SECONDS, MAX_SECONDS = 1.0, 60.0
MIN_SIDE = 64  # pixels; below that there is nothing to learn from
CharacterStatus = Literal["queued", "training", "ready", "failed"]
DETAILS: dict[CharacterStatus, str] = {
    "queued": "Kept, and waiting for a trainer. This deployment starts none by itself: until its operator runs one, "
    "the character stays queued. It costs nothing.",
    "training": "Being trained.",
    "ready": "Name the character's id in 'loras'.",
    "failed": "See 'error'.",
}
_Reference = Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_CHARS)]


class CharacterBody(BaseModel):
    """The body of `POST /v1/videos/characters`: a video (a file, upload id, data URL or finished video), or images."""

    model_config = ConfigDict(defer_build=True, strict=True, extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS, pattern=r"^[^\x00-\x1f\x7f]+$")]
    video: VideoReference | _Reference | None = None
    images: Annotated[list[_Reference], Field(min_length=1, max_length=MAX_IMAGES)] | None = None
    model: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _one_material(self) -> "CharacterBody":
        if (self.video is None) == (self.images is None):
            raise ValueError("give either 'video' or 'images'")
        return self


class Character(BaseModel):
    """The record. `images` and `video` are keys of the media bucket; times are unix seconds."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)

    id: str
    owner: str
    name: str
    model: str
    status: CharacterStatus = "queued"
    created_at: float
    updated_at: float
    images: tuple[str, ...] = ()
    video: str | None = None
    error: JobError | None = None


class CharacterView(BaseModel):
    """The character object: OpenAI's `id`, `name` and `created_at`, and ours. `lora` is there once it is ready."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    id: str
    object: Literal["video.character"] = "video.character"
    name: str
    created_at: int
    status: CharacterStatus
    detail: str
    model: str
    num_images: int
    has_video: bool
    lora: str | None
    error: JobError | None


class CharacterListView(BaseModel):
    """One page of characters; `last_id` is the next page's `after`."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    object: Literal["list"] = "list"
    data: list[CharacterView]
    has_more: bool
    first_id: str | None
    last_id: str | None


class CharacterDeletedView(BaseModel):
    """The answer to a deletion."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    id: str
    deleted: bool
    object: Literal["video.character.deleted"] = "video.character.deleted"


def character_view(character: Character) -> CharacterView:
    """The character as its owner sees it."""
    return CharacterView(
        id=character.id,
        name=character.name,
        created_at=int(character.created_at),
        status=character.status,
        detail=DETAILS[character.status],
        model=character.model,
        num_images=len(character.images),
        has_video=character.video is not None,
        lora=character.id if character.status == "ready" else None,
        error=character.error,
    )
