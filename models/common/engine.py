"""Runs a family's stock pipelines behind `models.interface.VideoModel`: shots, progress, checkpoints, frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch

from models.common import fingerprint
from models.common.family import Family
from models.common.frames import to_frames
from models.common.lora import LoraSwitch
from models.common.pipelines import PipelineSet
from models.common.progress import Progress
from models.common.schedulers import shifted
from models.common.shots import PlannedShot, chained, plan_shots
from models.common.text_encoding import TextEncoding, Texts
from models.interface import Checkpoint, GenerationRequest, Phase, Step, UnsupportedRequest
from models.speed.step_cache import forget_steps

if TYPE_CHECKING:
    from models.catalog import ModelSpec
    from models.interface import Frame


DEFAULT_SCHEDULER = "default"


class DiffusersVideoModel:
    """A `VideoModel` over stock diffusers pipelines; what differs between families is in `family`."""

    def __init__(self, *, spec: ModelSpec, family: Family, pipelines: PipelineSet) -> None:
        self.spec = spec
        self._family = family
        self._pipelines = pipelines
        self._text_encoding = TextEncoding(family, pipelines)
        self._loras: LoraSwitch | None = None

    def generate(
        self,
        request: GenerationRequest,
        *,
        resume: Checkpoint | None = None,
        on_step: Callable[[Step], None],
        on_phase: Callable[[Phase], None],
    ) -> Iterator[Frame]:
        """See `VideoModel.generate`. What the model refuses, it refuses here; the work begins with the first frame."""
        self._check(request)
        shots = self._plan(request)
        fields = self._fingerprint_fields(request)
        if resume is not None:
            fingerprint.require_match(resume, fields)
        progress = Progress(
            fields=fields,
            steps_per_shot=request.num_inference_steps,
            num_shots=len(shots),
            resume=resume,
            on_step=on_step,
        )
        return self._frames(request, shots, progress, on_phase)

    def prefetch(self, request: GenerationRequest) -> None:
        """See `VideoModel.prefetch`. Texts are encoded where the encoder stays in memory. Else its files are read
        ahead: beside a denoiser at work there may be no room for it."""
        if not self._pipelines.residency.keep_text_encoder:
            self._pipelines.read_ahead_text()
        elif not self._text_encoding.waits_for_shots(request):
            self._text_encoding.of(request, self._plan(request))

    def unload(self) -> None:
        """Frees the model's memory."""
        self._loras = None
        self._pipelines.unload()

    def _plan(self, request: GenerationRequest) -> list[PlannedShot]:
        return plan_shots(
            request,
            takes_text_alone=self._family.text_pipeline is not None,
            takes_image=self._family.image_pipeline is not None,
        )

    def _frames(
        self,
        request: GenerationRequest,
        shots: list[PlannedShot],
        progress: Progress,
        on_phase: Callable[[Phase], None],
    ) -> Iterator[Frame]:
        texts = {} if self._text_encoding.waits_for_shots(request) else self._encode(request, shots, on_phase)
        last_frame: Frame | None = None
        for planned in shots:
            shot = chained(planned, request, last_frame)
            rng = torch.Generator("cpu").manual_seed(shot.seed)
            latents = progress.finished_latents(shot.index, rng)
            if latents is None:
                shot_texts = texts or self._encode(request, [shot], on_phase)
                on_phase("denoise")
                latents = self._denoise(request, shot, shot_texts[shot.index], progress, rng)
                progress.finish_shot(shot.index, latents, rng)
            on_phase("decode")
            for last_frame in self._decode(request, shot, latents, rng):
                yield last_frame

    def _encode(
        self, request: GenerationRequest, shots: list[PlannedShot], on_phase: Callable[[Phase], None]
    ) -> dict[int, Texts]:
        on_phase("encode")
        try:
            return self._text_encoding.of(request, shots)
        finally:
            self._pipelines.release_text()  # also where a text is refused: the next job has no use for the encoder

    def _denoise(
        self, request: GenerationRequest, shot: PlannedShot, texts: Texts, progress: Progress, rng: torch.Generator
    ) -> torch.Tensor:
        pipe = self._pipelines.generation(with_image=shot.image is not None)
        pipe.scheduler = self._scheduler(request)
        self._activate_loras(request, pipe)
        for name in self._family.denoisers:
            forget_steps(getattr(pipe, name, None))
        if shot.image is not None:
            self._pipelines.places.summon(pipe.vae)  # encodes the image before the loop
        point = progress.resume_point(shot.index)
        loop_latents = point.latents if point else None
        pipe.resume_at(point, rng)

        def on_step_end(_: Any, index: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            nonlocal loop_latents
            if self._pipelines.device.type == "cuda":
                torch.cuda.synchronize()  # else a step would be reported, and timed, before it is done
            seconds = time.perf_counter() - pipe.turn_started_s
            loop_latents = tensors["latents"]
            progress.step_done(pipe, shot.index, index + 1, tensors["latents"], rng, seconds)
            return {}

        returned: torch.Tensor = pipe(
            **self._family.arguments(request, shot, texts.positive, texts.negative),
            generator=rng,
            output_type="latent",
            return_dict=False,
            callback_on_step_end=on_step_end,
        )[0]
        pipe.restore_point()
        if self._family.decodes_loop_latents and loop_latents is not None:
            return loop_latents
        return returned

    def _decode(
        self, request: GenerationRequest, shot: PlannedShot, latents: torch.Tensor, rng: torch.Generator
    ) -> Iterator[Frame]:
        pipe = self._pipelines.generation(with_image=shot.image is not None)
        self._pipelines.places.summon(pipe.vae)
        chunks = self._family.decode(pipe, latents.to(self._pipelines.device), request, shot, rng)
        frames = to_frames(chunks, pipe.video_processor)
        while True:
            with torch.no_grad():  # not around a yield: the consumer's code would run without gradients too
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def _scheduler(self, request: GenerationRequest) -> Any:
        published = self._pipelines.published_scheduler
        shift = self.spec.flow_shift if request.flow_shift is None else request.flow_shift
        if shift is not None:
            published = shifted(published, shift)
        return self._family.schedulers[request.scheduler or DEFAULT_SCHEDULER](published)

    def _activate_loras(self, request: GenerationRequest, pipe: Any) -> None:
        if self._loras is None:
            if not request.loras:
                return
            denoisers = {
                expert: getattr(pipe, component)
                for component, expert in self._family.denoisers.items()
                if getattr(pipe, component, None) is not None
            }
            self._loras = LoraSwitch(type(pipe), denoisers)
        self._loras.activate(request.loras)

    def _fingerprint_fields(self, request: GenerationRequest) -> dict[str, str]:
        return fingerprint.fields_of(
            request,
            revision=self._pipelines.revision,
            dtype=str(self._pipelines.dtype),
            numerics=fingerprint.numerics(self._pipelines.device) | self._pipelines.numerics,
        )

    def _check(self, request: GenerationRequest) -> None:
        if (request.scheduler or DEFAULT_SCHEDULER) not in self._family.schedulers:
            names = ", ".join(sorted(self._family.schedulers))
            raise UnsupportedRequest(
                f"{request.model} has no scheduler {request.scheduler!r}; it has {names}", param="scheduler"
            )
        if request.flow_shift is not None and not self.spec.takes_flow_shift:
            raise UnsupportedRequest(f"{request.model} takes no other flow shift", param="flow_shift")
        if request.loras and not self.spec.supports_lora:
            raise UnsupportedRequest(f"{request.model} takes no LoRAs", param="loras")
