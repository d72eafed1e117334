"""Is this request something the model can do? One function a parameter; none of them rounds.

Each returns what was asked for, or raises SpecViolation with the nearest value that would be right.
"""

import math

from models.catalog.cuts import can_be_cut
from models.catalog.spec import ModelSpec, Size, SizeRule
from models.catalog.violations import SpecViolation

_EXACT = 1e-6
# A user who asks for a shape wants that shape: a quarter off in shape weighs as much as twice the area.
_SHAPE_OVER_AREA = 4.0


def check_size(spec: ModelSpec, size: Size) -> Size:
    """Accept one of the model's named sizes or one that its size rule admits."""
    if size in spec.sizes or (spec.size_rule is not None and spec.size_rule.admits(size)):
        return size
    nearest = nearest_size(spec, size)
    named = ", ".join(str(each) for each in spec.sizes)
    rule = spec.size_rule
    general = (
        ""
        if rule is None
        else (
            f"; or any with sides in multiples of {rule.multiple_of} from {rule.min_side} to {rule.max_side} pixels "
            f"and {rule.min_pixels} to {rule.max_pixels} pixels in all"
        )
    )
    raise SpecViolation(
        param="size",
        code="invalid_size",
        message=f"{spec.id} cannot make {size}. It makes {named}{general}. The nearest is {nearest}.",
        nearest=str(nearest),
    )


def nearest_size(spec: ModelSpec, size: Size) -> Size:
    """The valid size nearest in shape, then in area: of the named ones and of what the size rule makes of it."""
    candidates = list(spec.sizes)
    if spec.size_rule is not None:
        proposal = _fitted(spec.size_rule, size)
        candidates += [proposal] if spec.size_rule.admits(proposal) else []

    def distance(candidate: Size) -> float:
        shape = abs(math.log2(candidate.width / candidate.height) - math.log2(size.width / size.height))
        area = abs(math.log2(candidate.pixels / size.pixels))
        return _SHAPE_OVER_AREA * shape + area

    return min(candidates, key=distance)


def _fitted(rule: SizeRule, size: Size) -> Size:
    """``size`` scaled into the rule's area and cut down to whole steps; it may still break the rule's sides."""
    area = min(max(size.pixels, rule.min_pixels), rule.max_pixels)
    scale = math.sqrt(area / size.pixels)
    step = rule.multiple_of
    width, height = (max(int(side * scale + _EXACT) // step * step, step) for side in (size.width, size.height))
    return Size(width=width, height=height)


def check_frames(spec: ModelSpec, num_frames: int) -> int:
    """Accept a frame count the model's frame rule admits."""
    if spec.frame_rule.admits(num_frames):
        return num_frames
    nearest = spec.frame_rule.nearest(num_frames)
    raise SpecViolation(
        param="num_frames",
        code="invalid_num_frames",
        message=f"{spec.id} cannot make {num_frames} frames ({spec.frame_rule}). The nearest is {nearest}.",
        nearest=str(nearest),
    )


def frames_for_seconds(spec: ModelSpec, seconds: float, fps: int | None = None) -> int:
    """Frames of a video of exactly ``seconds``: ``seconds * fps`` intervals between frames, and one frame more.

    The models count the first frame apart (4k+1, 8k+1, 6k+1), so one second at 16 fps is 17 frames. Raises
    SpecViolation with the nearest number of seconds where that count is not whole or breaks the frame rule.
    """
    rate = spec.fps if fps is None else fps
    wanted = seconds * rate + 1
    if abs(wanted - round(wanted)) < _EXACT and spec.frame_rule.admits(round(wanted)):
        return round(wanted)
    nearest = seconds_of(spec.frame_rule.nearest(round(wanted)), rate)
    raise SpecViolation(
        param="seconds",
        code="invalid_seconds",
        message=(
            f"{spec.id} at {rate} frames a second cannot last exactly {seconds:g} s "
            f"(frames: {spec.frame_rule}). The nearest is {nearest} s."
        ),
        nearest=nearest,
    )


def seconds_of(num_frames: int, fps: int) -> str:
    """How long ``num_frames`` last, as a request writes it: decimal seconds, in the shortest exact form."""
    return f"{(num_frames - 1) / fps:.10g}"


def check_fps(spec: ModelSpec, fps: int) -> int:
    """Accept 1 to 60 frames a second. The rate is a property of the file; motion was learned at the model's own."""
    return _in_range(spec, fps, 1, 60, param="fps")


def check_steps(spec: ModelSpec, num_inference_steps: int) -> int:
    """Accept a number of denoise steps within the model's limits."""
    limits = spec.limits
    return _in_range(
        spec,
        num_inference_steps,
        limits.min_inference_steps,
        limits.num_inference_steps,
        param="num_inference_steps",
    )


def _in_range(spec: ModelSpec, value: int, smallest: int, largest: int, *, param: str) -> int:
    if smallest <= value <= largest:
        return value
    nearest = min(max(value, smallest), largest)
    raise SpecViolation(
        param=param,
        code=f"invalid_{param}",
        message=f"{spec.id} takes {param} from {smallest} to {largest}, not {value}. The nearest is {nearest}.",
        nearest=str(nearest),
    )


def check_guidance_scale(spec: ModelSpec, guidance_scale: float) -> float:
    """Accept a finite guidance scale from 1 (no guidance) to the model's limit."""
    largest = spec.limits.max_guidance_scale
    if 1.0 <= guidance_scale <= largest:
        return guidance_scale
    nearest = 1.0 if not guidance_scale > 1.0 else largest
    raise SpecViolation(
        param="guidance_scale",
        code="invalid_guidance_scale",
        message=f"{spec.id} takes a guidance_scale from 1 to {largest:g}. The nearest is {nearest:g}.",
        nearest=f"{nearest:g}",
    )


def check_prompt(spec: ModelSpec, prompt: str, *, param: str = "prompt") -> str:
    """Accept a prompt that says something and is not longer than the model can read."""
    if not prompt.strip():
        raise SpecViolation(param=param, code="empty_prompt", message=f"{param} is empty")
    return check_prompt_length(spec, prompt, param=param)


def check_prompt_length(spec: ModelSpec, prompt: str, *, param: str = "negative_prompt") -> str:
    """Accept a text, empty or not, of at most the model's ``limits.prompt_chars`` characters."""
    limit = spec.limits.prompt_chars
    if len(prompt) <= limit:
        return prompt
    raise SpecViolation(
        param=param,
        code="prompt_too_long",
        message=f"{param} has {len(prompt)} characters; {spec.id} reads at most {limit}",
        nearest=str(limit),
    )


def check_shots(spec: ModelSpec, num_shots: int) -> int:
    """Accept up to ``limits.shots`` shots (0 for a request without shots)."""
    return _in_range(spec, num_shots, 0, spec.limits.shots, param="shots")


def check_even_shots(spec: ModelSpec, num_shots: int, num_frames: int) -> int:
    """Accept shots without lengths that a model of native shots can cut a video of `num_frames` into."""
    if can_be_cut(num_frames, num_shots):
        return num_shots
    rule = spec.frame_rule
    fewer = max(shots for shots in range(1, num_shots) if can_be_cut(num_frames, shots))
    lengths = [count for count in range(rule.min, rule.max + 1) if rule.admits(count) and can_be_cut(count, num_shots)]
    length = min(lengths, key=lambda count: abs(count - num_frames))
    raise SpecViolation(
        param="shots",
        code="invalid_shots",
        message=(
            f"{spec.id} cannot cut {num_frames} frames into {num_shots} shots of about equal length. "
            f"The nearest is {fewer} shots, or {length} frames."
        ),
        nearest=str(fewer),
    )


def check_image(spec: ModelSpec, *, has_image: bool) -> None:
    """An image where the model needs one, none where it cannot use it."""
    if has_image and "image-to-video" not in spec.tasks:
        raise SpecViolation(
            param="image", code="image_not_supported", message=f"{spec.id} makes video from text only; leave image out"
        )
    if not has_image and spec.needs_image:
        raise SpecViolation(param="image", code="image_required", message=f"{spec.id} needs an input image")


def check_loras(spec: ModelSpec, num_loras: int) -> int:
    """LoRAs only where the model's family can load them."""
    if num_loras and not spec.supports_lora:
        raise SpecViolation(param="loras", code="loras_not_supported", message=f"{spec.id} does not take LoRAs")
    return num_loras
