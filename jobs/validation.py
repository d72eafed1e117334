"""From what came through a door to an accepted request: one place, whichever the door.

`parse` checks form (`jobs.parsing`), `resolve` checks it against the model and fills in the model's defaults.
Nothing is rounded: what a model cannot do is refused with the nearest that it can.
"""

import re
import secrets

from jobs.errors import RequestError
from jobs.origin import Derivation
from jobs.parsing import parse_as, shown
from jobs.request import Lora, RequestBody, VideoRequest
from jobs.shot_plan import plan_shots
from models import catalog
from models.catalog import ModelSpec, Size, SpecViolation

MAX_ALL_TEXT_CHARS = (
    60_000  # over prompt, negative prompt and shots: 240 kB in UTF-8 at worst, of DynamoDB's 400 KB an item
)

_DECIMAL = re.compile(r"^[0-9]{1,6}(\.[0-9]{1,6})?$")


def parse(raw: object, *, texts: bool = False) -> RequestBody:
    """Check the form of a request. `texts`: its values are strings (a form, a CSV row), read by each field's type.

    Raises RequestError naming the field."""
    return parse_as(RequestBody, raw, texts=texts)


def resolve(body: RequestBody, *, default_model: str, now: float, derived: Derivation | None = None) -> VideoRequest:
    """Check a request against its model and fill in the defaults. `derived`: it is made from a video.

    Raises RequestError."""
    spec = spec_of(default_model if body.model is None else body.model)
    try:
        return _resolve(spec, body, now, derived)
    except SpecViolation as violation:
        raise RequestError(violation.message, param=violation.param, code=violation.code) from violation


def spec_of(model: str) -> ModelSpec:
    """The catalog's entry. Raises RequestError."""
    try:
        return catalog.get(model)
    except catalog.UnknownModel as unknown:
        known = ", ".join(unknown.known)
        message = f"The model '{shown(model)}' does not exist. There are: {known}."
        raise RequestError(message, param="model", code="model_not_found") from unknown


def _resolve(spec: ModelSpec, body: RequestBody, now: float, derived: Derivation | None) -> VideoRequest:
    fps = catalog.check_fps(spec, body.fps if body.fps is not None else spec.fps)
    default = spec.default
    steps = default.num_inference_steps if body.num_inference_steps is None else body.num_inference_steps
    guidance = default.guidance_scale if body.guidance_scale is None else body.guidance_scale
    guidance_2 = default.guidance_scale_2 if body.guidance_scale_2 is None else body.guidance_scale_2
    image = _image(body, derived)
    video = None if derived is None else derived.video
    catalog.check_image(spec, has_image=image is not None or video is not None)
    _check_inputs(spec, body, now)
    num_frames, shots = plan_shots(spec, body, _num_frames(spec, body, fps))
    return VideoRequest(
        model=spec.id,
        prompt=_prompt(spec, body),
        negative_prompt=default.negative_prompt if body.negative_prompt is None else body.negative_prompt,
        shots=shots,
        continuity=body.continuity,
        size=str(_size(spec, body)),
        num_frames=num_frames,
        fps=fps,
        seed=secrets.randbelow(2**31) if body.seed is None else body.seed,
        num_inference_steps=catalog.check_steps(spec, steps),
        guidance_scale=_guidance(spec, guidance),
        guidance_scale_2=None if guidance_2 is None else _guidance(spec, guidance_2),
        scheduler=body.scheduler or default.scheduler,
        flow_shift=body.flow_shift,
        image=image,
        video=video,
        loras=_loras(body),
        tier=body.tier,
        priority=body.priority,
        deadline=body.deadline,
        metadata=body.metadata or {},
        webhook=body.webhook,
        output=body.output,
    )


def _loras(body: RequestBody) -> tuple[Lora, ...]:
    """Those that are given by name; characters have been put in by name before (`jobs.loras`)."""
    return tuple(Lora(name=lora.name, scale=lora.scale) for lora in body.loras or () if lora.name is not None)


def _guidance(spec: ModelSpec, guidance_scale: float) -> float:
    return catalog.check_guidance_scale(spec, guidance_scale)


def _check_inputs(spec: ModelSpec, body: RequestBody, now: float) -> None:
    if body.guidance_scale_2 is not None and spec.default.guidance_scale_2 is None:
        raise RequestError(
            f"{spec.id} has one expert only.", param="guidance_scale_2", code="guidance_scale_2_not_supported"
        )
    if body.scheduler is not None and body.scheduler not in spec.schedulers:
        message = f"{spec.id} has no scheduler '{shown(body.scheduler)}'. It has: {', '.join(spec.schedulers)}."
        raise RequestError(message, param="scheduler", code="scheduler_not_supported")
    if body.flow_shift is not None and not spec.takes_flow_shift:
        message = f"{spec.id} has noise levels of its own: leave 'flow_shift' out."
        raise RequestError(message, param="flow_shift", code="flow_shift_not_supported")
    if body.negative_prompt:
        if not spec.supports_negative_prompt:
            message = f"{spec.id} takes no negative prompt."
            raise RequestError(message, param="negative_prompt", code="negative_prompt_not_supported")
        catalog.check_prompt_length(spec, body.negative_prompt)
    catalog.check_loras(spec, len(body.loras or ()))
    if body.deadline is not None and body.deadline <= now:
        raise RequestError("The deadline has passed already.", param="deadline", code="deadline_in_the_past")
    _check_all_text(body)


def _image(body: RequestBody, derived: Derivation | None) -> str | None:
    """The image as it was given, or the one that the source of a remix had (a key)."""
    given = given_image(body)
    if derived is None:
        return given
    if given is not None and derived.video is not None:
        message = "The input image is a frame of the video here; give no other."
        raise RequestError(message, param="image", code="image_given_twice")
    return derived.image if given is None else given


def given_image(body: RequestBody) -> str | None:
    """The input image, however it was given."""
    reference = body.input_reference
    given = [body.image] if reference is None else [body.image, reference.image_url, reference.file_id]
    images = [image for image in given if image is not None]
    if len(images) > 1:
        raise RequestError("Give one input image only.", param="image", code="image_given_twice")
    return images[0] if images else None


def _check_all_text(body: RequestBody) -> None:
    shots = sum(len(shot.prompt) for shot in body.shots or ())
    if len(body.prompt or "") + len(body.negative_prompt or "") + shots > MAX_ALL_TEXT_CHARS:
        message = f"The texts of a request may have {MAX_ALL_TEXT_CHARS} characters together."
        raise RequestError(message, param="shots" if body.shots else "prompt", code="string_above_max_length")


def _prompt(spec: ModelSpec, body: RequestBody) -> str:
    if body.shots is None:
        if body.prompt is None:
            raise RequestError(
                "Missing required parameter: 'prompt'.", param="prompt", code="missing_required_parameter"
            )
        return catalog.check_prompt(spec, body.prompt)
    prompt = body.prompt or ""
    if spec.multi_shot == "native":
        # One text holds the captions of all shots, and begins with the scene's.
        catalog.check_prompt(spec, prompt)
    for index, shot in enumerate(body.shots):
        catalog.check_prompt(spec, shot.prompt, param=f"shots[{index}].prompt")
    whole = [prompt, *(shot.prompt for shot in body.shots)]
    _check_joined(spec, whole if spec.multi_shot == "native" else [prompt, max(whole[1:], key=len)])
    return prompt


def _check_joined(spec: ModelSpec, texts: list[str]) -> None:
    length = sum(len(text) for text in texts)
    if length > spec.limits.prompt_chars:
        message = (
            f"The prompt and the shots that the model reads together have {length} characters; "
            f"{spec.id} reads at most {spec.limits.prompt_chars}"
        )
        raise RequestError(message, param="shots", code="prompt_too_long")


def _size(spec: ModelSpec, body: RequestBody) -> Size:
    return spec.default.size if body.size is None else catalog.check_size(spec, Size.parse(body.size))


def _num_frames(spec: ModelSpec, body: RequestBody, fps: int) -> int | None:
    """The frame count asked for, by `num_frames` or `seconds`; None if by neither."""
    if body.seconds is None:
        return body.num_frames
    wanted = catalog.frames_for_seconds(spec, _seconds(body.seconds), fps)
    if body.num_frames is not None and body.num_frames != wanted:
        message = f"'seconds' means {wanted} frames at {fps} fps, and 'num_frames' is {body.num_frames}: leave one out."
        raise RequestError(message, param="num_frames", code="length_given_twice")
    return wanted


def _seconds(value: str | float) -> float:
    if isinstance(value, str):
        if not _DECIMAL.match(value.strip()):
            raise RequestError(
                f"Invalid 'seconds': '{shown(value)}' is no number of seconds.", param="seconds", code="invalid_seconds"
            )
        value = float(value)
    if not 0 < value <= 86_400:
        raise RequestError(
            "Invalid 'seconds': must be above 0 and at most 86400.", param="seconds", code="invalid_seconds"
        )
    return value
