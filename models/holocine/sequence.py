"""A request with shots as one generation: one prompt, one frame count, cuts."""

from dataclasses import dataclass, fields
from typing import Any

from models.holocine.errors import PromptError, ShotError
from models.holocine.shots import ShotSequence, cuts_of_shot_lengths, plan_captions, plan_prompt, round_size
from models.interface import GenerationRequest, Shot


@dataclass(frozen=True, kw_only=True)
class SequenceRequest(GenerationRequest):
    """A request whose `prompt` holds all captions and whose `shots` are empty; `cuts` are frame indices."""

    cuts: tuple[int, ...]


def sequence_request(request: GenerationRequest) -> SequenceRequest:
    """`request.prompt` becomes the global caption and each shot's prompt its caption; without shots `request.prompt`
    is taken as it is, markers included.

    `request.num_frames` counts the whole video. Shots without lengths share it about evenly; with lengths, these add
    up to it, the first 4k + 1 frames and the others 4k.

    Raises:
        PromptError, ShotError: what cannot be generated exactly as asked, naming the field.
    """
    height, width, _ = round_size(request.height, request.width, 1)
    if (height, width) != (request.height, request.width):
        raise ShotError(f"{request.width}x{request.height} is not in steps of 16 pixels", param="size")
    if request.guidance_scale < 1 or (request.guidance_scale_2 or 1.0) < 1:
        raise ShotError("guidance below 1 is not defined; 1 means none", param="guidance_scale")
    sequence = _sequence(request)
    given: dict[str, Any] = {field.name: getattr(request, field.name) for field in fields(GenerationRequest)}
    return SequenceRequest(**given | {"prompt": sequence.prompt, "shots": (), "cuts": sequence.cuts or ()})


def _sequence(request: GenerationRequest) -> ShotSequence:
    if not request.shots:
        return plan_prompt(request.prompt, num_frames=request.num_frames)
    if request.continuity != "cut":
        raise ShotError("all shots are made at once: continuity can only be 'cut'", param="continuity")
    if not request.prompt.strip():
        raise PromptError("a request with shots needs a prompt: what is common to all of them")
    return plan_captions(
        request.prompt,
        [shot.prompt for shot in request.shots],
        num_frames=request.num_frames,
        cuts=_given_cuts(request.shots, request.num_frames),
    )


def _given_cuts(shots: tuple[Shot, ...], num_frames: int) -> tuple[int, ...] | None:
    lengths = [shot.num_frames for shot in shots if shot.num_frames is not None]
    if not lengths:
        return None
    if len(lengths) != len(shots):
        raise ShotError("either every shot gives num_frames or none does")
    return cuts_of_shot_lengths(lengths, num_frames=num_frames)
