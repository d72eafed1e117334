"""A `VideoModel` whose generations run in several processes in lockstep; this one leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from models.common.block_files import folder_for_resume
from models.interface import Checkpoint, GenerationRequest, GenerationStopped, ModelError, Phase, Step, VideoModel
from models.speed.parallel.crew import Crew, Line

if TYPE_CHECKING:
    from models.catalog import ModelSpec
    from models.interface import Frame
    from models.placement import Plan

# What the leader tells the followers.
_GENERATE, _GO_ON, _STOP = "generate", "go on", "stop"


class ParallelVideoModel:
    """See `models.interface.VideoModel`."""

    def __init__(self, spec: ModelSpec, *, weights_dir: Path, device: str, plan: Plan) -> None:
        """Starts the other processes; each loads the model onto a GPU of its own."""
        self.spec = spec
        self._weights_dir, self._device_type, self._plan = weights_dir, torch.device(device).type, plan
        self._start()

    def _start(self) -> None:
        self._broken = False
        self.crew = Crew(
            self._plan.layout.gpus, self._device_type, follow, (self.spec.id, self._weights_dir, self._plan)
        )
        self._model = _load(self.spec.id, self._weights_dir, self.crew.device, self._plan)

    def generate(
        self,
        request: GenerationRequest,
        *,
        resume: Checkpoint | None = None,
        on_step: Callable[[Step], None],
        on_phase: Callable[[Phase], None],
    ) -> Iterator[Frame]:
        """See `VideoModel.generate`. A refusal comes before the followers hear of the request."""

        if self._broken:
            self._start()

        def step_of_all(step: Step) -> None:
            try:
                on_step(step)
            except BaseException:
                self.crew.tell(_STOP)
                raise
            self.crew.tell(_GO_ON)

        frames = self._model.generate(request, resume=resume, on_step=step_of_all, on_phase=on_phase)
        return self._led(frames, request, resume)

    def prefetch(self, request: GenerationRequest) -> None:
        """See `VideoModel.prefetch`. The followers read the same files, from the same system's memory."""
        self._model.prefetch(request)

    def unload(self) -> None:
        """Ends the other processes and frees this one's memory."""
        self.crew.close()
        self._model.unload()

    def _led(self, frames: Iterator[Frame], request: GenerationRequest, resume: Checkpoint | None) -> Iterator[Frame]:
        with folder_for_resume() as folder:
            path = None
            if resume is not None:
                path = Path(folder) / "checkpoint.safetensors"
                resume.save(path)
            self.crew.tell((_GENERATE, request, path))
            finished = False
            try:
                yield from frames
                finished = True
            except (GenerationStopped, ModelError):
                finished = True  # the followers end in the same way
                raise
            finally:
                # Left between two frames: the followers may be in the next shot, waiting for this process.
                if not finished and request.num_shots > 1:
                    self.unload()
                    self._broken = True


def follow(line: Line, device: torch.device, model_id: str, weights_dir: Path, plan: Plan) -> None:
    """A follower: takes part in every generation that the leader begins."""
    model = _load(model_id, weights_dir, device, plan)
    while True:
        message = line.receive()
        if not isinstance(message, tuple):
            continue  # the leader's word on a step of a generation that has ended here
        _, request, path = message
        _take_part(model, request, Checkpoint.load(path) if path is not None else None, line)


def _take_part(model: VideoModel, request: GenerationRequest, resume: Checkpoint | None, line: Line) -> None:
    def on_step(_: Step) -> None:
        if line.receive() == _STOP:
            raise GenerationStopped

    def on_phase(phase: Phase) -> None:
        if phase == "decode" and request.num_shots == 1:
            raise GenerationStopped  # nobody watches this copy

    try:
        for _ in model.generate(request, resume=resume, on_step=on_step, on_phase=on_phase):
            pass
    except (GenerationStopped, ModelError):
        return  # a refusal meets the leader as well, which reports it


def _load(model_id: str, weights_dir: Path, device: torch.device, plan: Plan) -> Any:
    """The family's own model of one rank."""
    import importlib

    from models import catalog

    spec = catalog.get(model_id)
    family = importlib.import_module(spec.module)
    return family.load(spec, weights_dir=weights_dir, device=str(device), plan=plan)
