"""How many frames a request and each of its shots have.

Models that make shots one by one (`multi_shot: per-shot`): `num_frames` is the length of every shot that does not give
its own, and the video is all shots together. Models that make all shots at once (`native`): `num_frames` is the whole
video, and either every shot gives its length or none does.
"""

from itertools import accumulate

from jobs.errors import RequestError
from jobs.request import RequestBody, ShotBody
from models import catalog
from models.catalog import ModelSpec


def plan_shots(spec: ModelSpec, body: RequestBody, num_frames: int | None) -> tuple[int, tuple[ShotBody, ...]]:
    """The request's frame count and its shots. Raises RequestError or SpecViolation, with the nearest that is right."""
    if body.shots is None:
        if body.continuity != "cut":
            raise RequestError(
                "'continuity' is for requests with shots.", param="continuity", code="continuity_not_supported"
            )
        return _checked(spec, num_frames), ()
    catalog.check_shots(spec, len(body.shots))
    if spec.multi_shot == "native":
        return _native(spec, body, body.shots, num_frames)
    each = _checked(spec, num_frames)
    return each, tuple(_own_length(spec, index, shot, each) for index, shot in enumerate(body.shots))


def _checked(spec: ModelSpec, num_frames: int | None) -> int:
    return spec.default.num_frames if num_frames is None else catalog.check_frames(spec, num_frames)


def _own_length(spec: ModelSpec, index: int, shot: ShotBody, each: int) -> ShotBody:
    count = each if shot.num_frames is None else shot.num_frames
    if not spec.frame_rule.admits(count):
        message = (
            f"{spec.id} cannot make a shot of {count} frames ({spec.frame_rule}). "
            f"The nearest is {spec.frame_rule.nearest(count)}."
        )
        raise RequestError(message, param=f"shots[{index}].num_frames", code="invalid_num_frames")
    return shot.model_copy(update={"num_frames": count})


def _native(
    spec: ModelSpec, body: RequestBody, shots: list[ShotBody], num_frames: int | None
) -> tuple[int, tuple[ShotBody, ...]]:
    if body.continuity != "cut":
        message = f"{spec.id} makes all shots at once: 'continuity' can only be 'cut'."
        raise RequestError(message, param="continuity", code="continuity_not_supported")
    given = [shot.num_frames for shot in shots if shot.num_frames is not None]
    if not given:
        total = _checked(spec, num_frames)
        catalog.check_even_shots(spec, len(shots), total)
        return total, tuple(shots)
    if len(given) != len(shots):
        raise RequestError(
            "Either every shot gives 'num_frames' or none does.", param="shots", code="invalid_num_frames"
        )
    total = sum(given) if num_frames is None else num_frames
    if sum(given) != total:
        message = f"The shots have {sum(given)} frames together, and the video {total}."
        raise RequestError(message, param="shots", code="invalid_num_frames")
    _check_cuts(spec, given)
    return catalog.check_frames(spec, total), tuple(shots)


def _check_cuts(spec: ModelSpec, lengths: list[int]) -> None:
    """A cut falls between two latent frames: the first shot is step * k + offset frames long, the others step * k."""
    rule = spec.frame_rule
    for index, end in enumerate(accumulate(lengths)):
        if (end - rule.offset) % rule.step:
            first = f"{rule.step}k+{rule.offset}" if index == 0 else f"a multiple of {rule.step}"
            message = f"Shot {index + 1} has {lengths[index]} frames; {spec.id} needs {first} there."
            raise RequestError(message, param=f"shots[{index}].num_frames", code="invalid_num_frames")
