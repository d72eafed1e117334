"""What every video model offers and what it is given: the one interface of `models/`.

No torch import: the job domain, the agent's supervisor and tests may import this in milliseconds. Tensors inside a
`Checkpoint` are opaque here; `models.common.checkpoint_file` reads and writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.catalog import ModelSpec

    Frame = NDArray[np.uint8]

Phase = Literal["encode", "train", "denoise", "decode"]


class ModelError(Exception):
    """Base of everything a model refuses or fails with."""


class UnsupportedRequest(ModelError):
    """The model cannot do what is asked; `param` is the request field at fault."""

    def __init__(self, message: str, *, param: str) -> None:
        super().__init__(message)
        self.param = param


class WeightsError(ModelError):
    """A weight file is missing, corrupted or of a refused kind; `file` names it."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


class LoraError(ModelError):
    """A LoRA does not fit the model or is no safetensors file; `keys` lists the keys that match nothing."""

    def __init__(self, name: str, reason: str, *, keys: tuple[str, ...] = ()) -> None:
        super().__init__(f"LoRA {name!r}: {reason}")
        self.name = name
        self.reason = reason
        self.keys = keys


class CheckpointCorrupt(ModelError):
    """A checkpoint file is truncated, damaged or of another format: discard it and start the job again."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class CheckpointMismatch(ModelError):
    """A sound checkpoint, but of other work; `fields` names what differs (for example `prompt`, `scheduler`)."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(f"the checkpoint was taken under another {', '.join(fields)}")
        self.fields = fields


class GenerationStopped(Exception):
    """Raised by `on_step` to end a generation after that step; `generate` cleans up and lets it through."""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One shot of a multi-shot request. `num_frames` None: `GenerationRequest.num_frames` for this shot."""

    prompt: str
    num_frames: int | None = None


@dataclass(frozen=True, kw_only=True)
class LoraRef:
    """A LoRA file on local disk (safetensors).

    `experts` matters to two-expert models alone: Wan 2.2's published pairs are one file for each expert.
    """

    path: Path
    scale: float
    name: str
    experts: Literal["both", "high_noise", "low_noise"] = "both"


@dataclass(frozen=True, kw_only=True)
class GenerationRequest:
    """What to generate, fully resolved: whatever has a default carries its value.

    `num_frames` counts the frames of the video, or of each shot whose own count is None; `fps` is frames a second;
    `scheduler` and `flow_shift` None mean the model's published ones; `image` is a local file. On single-shot models
    shot i's text is `prompt` followed by the shot's own prompt, its seed is `seed + i`.
    """

    model: str
    prompt: str
    negative_prompt: str = ""
    shots: tuple[Shot, ...] = ()
    continuity: Literal["cut", "chain"] = "cut"
    width: int
    height: int
    num_frames: int
    fps: int
    num_inference_steps: int
    guidance_scale: float
    guidance_scale_2: float | None = None
    seed: int
    scheduler: str | None = None
    flow_shift: float | None = None
    image: Path | None = None
    loras: tuple[LoraRef, ...] = ()

    @property
    def num_shots(self) -> int:
        """Shots to generate; a request without `shots` is one."""
        return max(1, len(self.shots))

    @property
    def total_frames(self) -> int:
        """Frames of the finished video."""
        if not self.shots:
            return self.num_frames
        return sum(shot.num_frames or self.num_frames for shot in self.shots)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """All that is needed to go on after `step` denoise steps (counted over all shots) in another process.

    `fields` maps each name of the fingerprint (request fields, revision, dtype, scheduler, numerics) to a digest of
    its value, so that a refusal can name what differs; `fingerprint` is the digest of them all. `state` is plain JSON,
    `tensors` are torch tensors on the CPU.
    """

    step: int
    total: int
    fingerprint: str
    fields: Mapping[str, str]
    state: Mapping[str, Any] = field(repr=False)
    tensors: Mapping[str, Any] = field(repr=False)

    def save(self, path: Path) -> None:
        """Writes one safetensors file, atomically (a reader sees the old file or the whole new one)."""
        from models.common import checkpoint_file

        checkpoint_file.write(self, path)

    @staticmethod
    def load(path: Path) -> Checkpoint:
        """Reads and verifies a checkpoint. Raises `CheckpointCorrupt`; a missing file is `FileNotFoundError`."""
        from models.common import checkpoint_file

        return checkpoint_file.read(path)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One finished denoise step: `index` of `total` (1-based, over all shots), the seconds it took.

    `snapshot` copies the state off the device; it is valid only until `on_step` returns, and costs nothing if unused.
    """

    index: int
    total: int
    seconds: float
    snapshot: Callable[[], Checkpoint] = field(repr=False)


class VideoModel(Protocol):
    """A model loaded on its slot."""

    spec: ModelSpec

    def generate(
        self,
        request: GenerationRequest,
        *,
        resume: Checkpoint | None = None,
        on_step: Callable[[Step], None],
        on_phase: Callable[[Phase], None],
    ) -> Iterator[Frame]:
        """Yields the video's frames one by one, uint8 RGB, height x width x 3.

        Lazy: the work happens as frames are asked for. `on_phase` is called as each phase begins (with several shots
        denoise and decode alternate), `on_step` after every denoise step. Resuming yields every frame from the first.

        Raises `UnsupportedRequest`, `LoraError`, `CheckpointMismatch`, and whatever `on_step` raises.
        """
        ...

    def prefetch(self, request: GenerationRequest) -> None:
        """Makes ready what of a coming request can be, while another one is generated; for a thread of its own.

        Costs the device no memory and changes no result. What it raises, `generate` would raise for the request too.
        """
        ...

    def unload(self) -> None:
        """Frees the model's memory; the object is of no use afterwards."""
        ...
