"""What a request was made from, where it did not come from nothing: a remix, an edit or an extension of a video."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from jobs.request import SourceVideo

OriginKind = Literal["remix", "edit", "extension"]


class Origin(BaseModel):
    """Which video it was, and what was done with it. `video_id` is None for a video that the caller sent along."""

    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)

    kind: OriginKind
    video_id: str | None = None


def _nothing_to_keep() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """A request made from a video: its fields as they would come through a door, and what no door takes.

    `image` and `video` are the new job's own, in the media bucket once `keep` was called, which comes last: a refused
    request leaves nothing behind. `sha256` is that of a video that was sent along."""

    raw: Mapping[str, Any]
    origin: Origin
    image: str | None = None
    video: SourceVideo | None = None
    sha256: str | None = None
    keep: Callable[[], object] = field(default=_nothing_to_keep)

    @property
    def identity(self) -> dict[str, Any]:
        """What tells this derivation from another with the same fields. Not the keys: they are new at every try."""
        return {**self.origin.model_dump(mode="json"), "sha256": self.sha256}
