"""Requests made from a finished video: remix, edit, extension. Each becomes the fields of an ordinary request.

No open model here edits a video as such. An edit begins at the first frame of the source and makes a new video of it
by the new prompt, with the model that takes images (`catalog.continuing_model`); an extension begins at the last frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from jobs.errors import JobNotFound, RequestError
from jobs.ids import UPLOAD_PREFIX, is_job_id
from jobs.job import Job
from jobs.origin import Derivation, Origin
from jobs.parsing import parse_as
from jobs.request import EditBody, RemixBody, RequestBody, SourceVideo, VideoReference, VideoRequest
from jobs.source_video import Source, SourceVideos
from jobs.states import State
from jobs.store import JobStore
from jobs.validation import spec_of
from models import catalog
from models.catalog import ModelSpec

MAX_EXTENDED_FRAMES = 7_200  # five minutes at 24 fps: an extension is decoded and encoded again as a whole
_KEPT = ("size", "num_frames", "fps", "seed", "negative_prompt")
_KEPT_WITH_MODEL = ("num_inference_steps", "guidance_scale", "guidance_scale_2", "scheduler", "flow_shift")
_Body = TypeVar("_Body", bound=RequestBody)
_LENGTHS = frozenset({"seconds", "num_frames"})


@dataclass(frozen=True, kw_only=True)
class Derivations:
    """Makes them. Every method raises RequestError, and JobNotFound for a video that is not the owner's."""

    store: JobStore
    videos: SourceVideos
    default_model: str

    def remix(self, given: object, *, video_id: str, owner: str, texts: bool = False) -> Derivation:
        """The same request with a new prompt, and whatever else is given instead of the source's own."""
        _, fields = _parsed(RemixBody, given, texts)
        job = _completed(self.store.get(video_id, owner=owner), param="video_id")
        request = job.request
        same_model = fields.get("model", request.model) == request.model
        settings = {"model": request.model, **_settings(request, same_model=same_model)}
        if request.shots:
            settings["shots"] = [shot.model_dump(exclude_none=True) for shot in request.shots]
            settings["continuity"] = request.continuity
        return Derivation(
            raw=_laid_over(settings, fields),
            origin=Origin(kind="remix", video_id=job.id),
            **self._own_input(request, image_given=bool({"image", "input_reference"} & fields.keys())),
        )

    def _own_input(self, request: VideoRequest, *, image_given: bool) -> dict[str, Any]:
        """The source's image or video as the new job's own: the source's goes when the source is deleted."""
        if request.video is not None:
            key, keep = self.videos.copy_of(request.video.key)
            return {"video": request.video.model_copy(update={"key": key}), "keep": keep}
        if request.image is None or image_given:
            return {}
        key, keep = self.videos.copy_of(request.image)
        return {"image": key, "keep": keep}

    def edit(self, given: object, *, owner: str, texts: bool = False) -> Derivation:
        """A new video from the source's first frame; length, size and settings are the source's unless given."""
        body, fields = _parsed(EditBody, given, texts)
        return self._from_frame(fields, self._source(body, owner), "edit")

    def extension(self, given: object, *, owner: str, texts: bool = False) -> Derivation:
        """The source, and as many seconds more as are given, from its last frame on."""
        body, fields = _parsed(EditBody, given, texts)
        if body.seconds is None and body.num_frames is None:
            message = "Missing required parameter: 'seconds'."
            raise RequestError(message, param="seconds", code="missing_required_parameter")
        source = self._source(body, owner)
        _check_extendable(body, source)
        return self._from_frame(fields, source, "extend")

    def _source(self, body: EditBody, owner: str) -> Source:
        reference = body.video.id if isinstance(body.video, VideoReference) else body.video
        if is_job_id(reference):
            return self.videos.finished(_completed(self.store.get(reference, owner=owner), param="video"))
        if isinstance(body.video, VideoReference) and not reference.startswith(UPLOAD_PREFIX):
            raise JobNotFound(reference)
        return self.videos.sent_along(reference, owner=owner)

    def _from_frame(self, fields: dict[str, Any], source: Source, use: Literal["edit", "extend"]) -> Derivation:
        spec = self._model(fields, source)
        settings: dict[str, Any] = {"size": str(source.size), "fps": source.fps, "num_frames": source.num_frames}
        if source.request is not None:
            same_model = spec.id == source.request.model
            _check_loras(fields, source.request, spec, same_model=same_model)
            settings = {**_settings(source.request, same_model=same_model), "num_frames": source.request.total_frames}
        kind: Literal["edit", "extension"] = "edit" if use == "edit" else "extension"
        return Derivation(
            raw=_laid_over(settings, {**fields, "model": spec.id}),
            origin=Origin(kind=kind, video_id=source.video_id),
            video=SourceVideo(key=source.key, use=use, num_frames=source.num_frames),
            sha256=source.sha256,
            keep=source.keep,
        )

    def _model(self, fields: Mapping[str, Any], source: Source) -> ModelSpec:
        """The model that is named, or the one that continues the source's (or the default model's) videos."""
        named = fields.get("model")
        if isinstance(named, str):
            return spec_of(named)
        spec = spec_of(self.default_model if source.request is None else source.request.model)
        found = catalog.continuing_model(spec)
        if found is None:
            able = ", ".join(each.id for each in catalog.all_models() if "image-to-video" in each.tasks)
            message = f"{spec.id} has no model beside it that begins at an image. Name one as 'model': {able}."
            raise RequestError(message, param="model", code="no_image_to_video_model")
        return found


def _parsed(shape: type[_Body], given: object, texts: bool) -> tuple[_Body, dict[str, Any]]:
    """The body in its own shape, and its fields as they came, but for the video."""
    body = parse_as(shape, given, texts=texts)
    fields = dict(given) if isinstance(given, Mapping) else {}
    fields.pop("video", None)
    return body, fields


def _completed(job: Job, *, param: str) -> Job:
    if job.status is not State.COMPLETED or job.outputs is None:
        message = f"The video is not completed: its status is '{job.status}'."
        raise RequestError(message, param=param, code="video_not_completed")
    return job


def _settings(request: VideoRequest, *, same_model: bool) -> dict[str, Any]:
    """What the source was made with. Steps and guidance mean something to its own model only."""
    names = _KEPT + (_KEPT_WITH_MODEL if same_model else ())
    values = {name: getattr(request, name) for name in names}
    kept = {name: value for name, value in values.items() if value not in (None, "")}
    if same_model and request.loras:
        kept["loras"] = [lora.model_dump() for lora in request.loras]
    return {**kept, "output": request.output.model_dump()}


def _laid_over(settings: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's fields instead of the source's; a length replaces a length, in whatever unit."""
    replaced = set(fields) | (_LENGTHS if _LENGTHS & fields.keys() else set())
    return {**{name: value for name, value in settings.items() if name not in replaced}, **fields}


def _check_loras(fields: Mapping[str, Any], request: VideoRequest, spec: ModelSpec, *, same_model: bool) -> None:
    if request.loras and not same_model and "loras" not in fields:
        message = (
            f"The video was made with LoRAs for {request.model}; {spec.id} goes on. Say which 'loras' it is to use "
            "([] for none)."
        )
        raise RequestError(message, param="loras", code="loras_not_carried_over")


def _check_extendable(body: RequestBody, source: Source) -> None:
    """Two parts of one video have one size and one frame rate, and together an end."""
    if source.num_frames > MAX_EXTENDED_FRAMES:
        message = f"The video has {source.num_frames} frames; up to {MAX_EXTENDED_FRAMES} can be extended."
        raise RequestError(message, param="video", code="video_too_long")
    made = source.request
    if made is not None and (made.size, made.fps) != (str(source.size), source.fps):
        message = "The video was enlarged or interpolated after it was made; extend one that was not."
        raise RequestError(message, param="video", code="video_enhanced")
    if body.size not in (None, str(source.size)):
        message = f"The video is {source.size}, and so is its extension."
        raise RequestError(message, param="size", code="size_differs")
    if body.fps not in (None, source.fps):
        message = f"The video has {source.fps} frames a second, and so has its extension."
        raise RequestError(message, param="fps", code="fps_differs")
