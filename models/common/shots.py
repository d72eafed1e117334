"""A request as single-shot generations: what a model without native shots runs, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import PIL.Image

from models.common.frames import fitted, open_image
from models.interface import GenerationRequest, UnsupportedRequest

if TYPE_CHECKING:
    from models.interface import Frame


@dataclass(frozen=True, kw_only=True)
class PlannedShot:
    """One generation: its full text, frames, seed and the image that it starts from, if any."""

    index: int
    text: str
    num_frames: int
    seed: int
    image: PIL.Image.Image | None


def plan_shots(request: GenerationRequest, *, takes_text_alone: bool, takes_image: bool) -> list[PlannedShot]:
    """The shots in order. A request without `shots` is one shot.

    Shot i has the seed `seed + i`: one seed for all would begin every shot from the same noise. Its text is the
    request's prompt (who and where) followed by its own (what happens). With `cut` each starts from the request's
    image, if there is one; with `chain` only the first does, and `chained` gives the others theirs. An image of another
    shape than the video is cut to it.

    Raises `UnsupportedRequest` naming `image` or `continuity`.
    """
    image = fitted(open_image(request.image), (request.width, request.height)) if request.image else None
    if image is not None and not takes_image:
        raise UnsupportedRequest(f"{request.model} takes no image", param="image")
    if image is None and not takes_text_alone:
        raise UnsupportedRequest(f"{request.model} needs an image", param="image")
    chain = request.continuity == "chain"
    if chain and len(request.shots) > 1 and not takes_image:
        raise UnsupportedRequest(f"{request.model} takes no image, so shots cannot be chained", param="continuity")
    lengths = [shot.num_frames or request.num_frames for shot in request.shots] or [request.num_frames]
    return [
        PlannedShot(
            index=index,
            text=text,
            num_frames=num_frames,
            seed=request.seed + index,
            image=None if chain and index else image,
        )
        for index, (text, num_frames) in enumerate(zip(shot_texts(request), lengths, strict=True))
    ]


def shot_texts(request: GenerationRequest) -> list[str]:
    """The full text of each shot, in order; a request without `shots` has one."""
    if not request.shots:
        return [request.prompt]
    common = request.prompt.strip()
    return [" ".join(part for part in (common, shot.prompt.strip()) if part) for shot in request.shots]


def chained(shot: PlannedShot, request: GenerationRequest, last_frame: Frame | None) -> PlannedShot:
    """`shot`, starting from the last frame of the one before if the request chains its shots."""
    if last_frame is None or request.continuity == "cut":
        return shot
    return replace(shot, image=PIL.Image.fromarray(last_frame))
