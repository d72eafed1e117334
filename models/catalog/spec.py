"""The vocabulary of the catalog: what is known of a video model before any of its weights are read.

Everything is plain, frozen data, checked by pydantic when an entry is made, so that a Lambda, the planner and the GPU
agent read the same facts without importing torch.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from models.catalog.arch import ArchSpec
from models.catalog.record import Record
from models.catalog.training import TrainingDefaults

Task = Literal["text-to-video", "image-to-video", "multi-shot"]
MultiShot = Literal["native", "per-shot"]
CpuKernels = Literal["stock", "onednn"]
Expert = Literal["high_noise", "low_noise", "both"]
CommercialUse = Literal["allowed", "conditional", "forbidden"]

_SIZE = re.compile(r"^([1-9][0-9]{0,4})x([1-9][0-9]{0,4})$")


class Size(Record):
    """A frame size in pixels. Written ``"WIDTHxHEIGHT"``, as in the OpenAI Videos dialect."""

    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"1280x720"``. Raises ValueError for anything else."""
        match = _SIZE.match(text)
        if match is None:
            raise ValueError(f"a size is written WIDTHxHEIGHT, for example 1280x720, not {text!r}")
        return cls(width=int(match[1]), height=int(match[2]))

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class SizeRule(Record):
    """Which sizes beside the named ones a model takes: sides in whole steps, area in a range of pixels."""

    multiple_of: Annotated[int, Field(gt=0)]
    min_pixels: Annotated[int, Field(gt=0)]
    max_pixels: Annotated[int, Field(gt=0)]
    min_side: Annotated[int, Field(gt=0)] = 256
    max_side: Annotated[int, Field(gt=0)] = 1280

    def admits(self, size: Size) -> bool:
        sides = (size.width, size.height)
        return (
            all(side % self.multiple_of == 0 and self.min_side <= side <= self.max_side for side in sides)
            and self.min_pixels <= size.pixels <= self.max_pixels
        )


class FrameRule(Record):
    """Valid frame counts: ``step * k + offset`` between ``min`` and ``max``, both inclusive and themselves valid."""

    step: Annotated[int, Field(gt=0)]
    offset: Annotated[int, Field(ge=0)]
    min: Annotated[int, Field(gt=0)]
    max: Annotated[int, Field(gt=0)]

    @model_validator(mode="after")
    def _bounds_are_valid_counts(self) -> Self:
        if self.min > self.max or not (self._on_grid(self.min) and self._on_grid(self.max)):
            raise ValueError(f"min {self.min} and max {self.max} must be {self.step}k+{self.offset} and in order")
        return self

    def _on_grid(self, num_frames: int) -> bool:
        return num_frames >= self.offset and (num_frames - self.offset) % self.step == 0

    def admits(self, num_frames: int) -> bool:
        return self.min <= num_frames <= self.max and self._on_grid(num_frames)

    def neighbours(self, num_frames: int) -> tuple[int, int]:
        """The last count of the grid up to ``num_frames``, and the next one, whatever the bounds."""
        below = num_frames - (num_frames - self.offset) % self.step
        return below, below + self.step

    def nearest(self, num_frames: int) -> int:
        """The valid count next to ``num_frames``; of two equally near ones the smaller, which costs less."""
        clamped = [min(max(count, self.min), self.max) for count in self.neighbours(num_frames)]
        return min(clamped, key=lambda count: (abs(count - num_frames), count))

    def __str__(self) -> str:
        return f"{self.step}k+{self.offset}, {self.min} to {self.max}"


class Defaults(Record):
    """What a request means that leaves these out. Sources: the model's own card or its diffusers documentation.

    ``scheduler`` None is the published one."""

    size: Size
    num_frames: int
    num_inference_steps: int
    guidance_scale: float
    guidance_scale_2: float | None = None
    scheduler: str | None = None
    negative_prompt: str = ""


class Limits(Record):
    """Upper bounds of a request. ``prompt_tokens`` is the padded length the text encoder is run at; a prompt, or
    a shot's text behind it, may not tokenise to more. Only the family can tell, and refuses it before it denoises: the
    doors check ``prompt_chars``."""

    num_inference_steps: int
    prompt_chars: int
    prompt_tokens: int
    shots: int
    min_inference_steps: int = 1
    max_guidance_scale: float = 20.0


class Rounding(Record):
    """Float32 numbers that agents keep in bfloat16, and that are brought to the bucket as such. ``files`` are patterns
    of the files that hold them; numbers stay float32 whose name has one of the parts in ``keeps_float32``, as the
    network's class in diffusers keeps them."""

    files: tuple[str, ...]
    keeps_float32: tuple[str, ...] = ()


class WeightsSource(Record):
    """One Hub repository (or, for shipped models, one folder under ``models/checkpoints``) and the files to take.

    ``revision`` is a commit hash where ``revision_pinned``; otherwise it is a branch name and ``revision_note`` says
    why no hash could be established. ``files`` are glob patterns relative to the repository's root. ``rounding`` is for
    what is published in float32 and loaded in bfloat16.
    """

    repo: str
    revision: str
    revision_pinned: bool
    revision_note: str = ""
    files: tuple[str, ...]
    rounding: Rounding | None = None

    @model_validator(mode="after")
    def _a_pin_is_a_hash(self) -> Self:
        if self.revision_pinned and re.fullmatch(r"[0-9a-f]{40}", self.revision) is None:
            raise ValueError(f"{self.repo}: a pinned revision is a 40-digit commit hash, not {self.revision!r}")
        if not self.revision_pinned and not self.revision_note:
            raise ValueError(f"{self.repo}: say in revision_note why the revision is not pinned")
        return self


class WeightsSpec(Record):
    """What has to lie on disk to run a model. ``gib`` is the sum of the files in GiB, as they lie in the bucket (2 or 4
    bytes a parameter, as the repository stores them or as they were rounded on the way)."""

    sources: tuple[WeightsSource, ...] = Field(min_length=1)
    gib: Annotated[float, Field(ge=0)]

    @property
    def repo(self) -> str:
        return self.sources[0].repo

    @property
    def revision(self) -> str:
        return self.sources[0].revision

    def stored_revision(self, published: str) -> str:
        """The name in the bucket of a set of the ``published`` revision: one that was rounded has its own."""
        is_rounded = any(source.rounding for source in self.sources)
        return f"{published}-bf16" if is_rounded else published

    @property
    def files(self) -> tuple[str, ...]:
        return self.sources[0].files


class FusedLora(Record):
    """A LoRA that is part of a model: taken into the weights when they are loaded, before they are quantised. ``file``
    lies in ``repo``, one of the model's sources."""

    repo: str
    file: str
    expert: Expert = "both"


class Licence(Record):
    """A licence and what it allows. ``commercial_use``: ``conditional`` means allowed under the terms in ``note``,
    which the operator has to check; ``forbidden`` means refused here until the operator acknowledges it."""

    name: str
    url: str
    commercial_use: CommercialUse
    note: str = ""
    excluded_territories: tuple[str, ...] = ()


class ModelSpec(Record):
    """One model of the catalog.

    ``family`` names the package that runs it; ``family_module`` is that package's import path, ``models.<family>``
    unless the entry says otherwise. ``fps`` is the rate the model was trained at, in frames a second. ``embedded``
    models ship their weights in ``models/checkpoints``. ``continued_by`` names the model that goes on from a frame of
    this one's videos, where that is another one: see ``continuing_model``. ``training``: how LoRAs are trained for it
    (by its package's module ``training``); None where they cannot be. ``cpu_kernels``: ``stock`` gives the stock
    pipeline's bits on a CPU; ``onednn`` decodes about four times as fast, and rounds otherwise in the last bits.
    ``fused_loras`` make another model of the first source's weights; ``flow_shift`` is the shift of the noise levels
    that they were trained at, where it is not the published one. LoRAs of ``takes_loras_of`` fit this model too.
    ``takes_flow_shift``: whether a request may ask for another shift of its noise levels.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(?:[.-][a-z0-9]+)*$")]
    family: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    family_module: str = ""
    title: str
    tasks: frozenset[Task] = Field(min_length=1)
    sizes: tuple[Size, ...] = Field(min_length=1)
    size_rule: SizeRule | None = None
    frame_rule: FrameRule
    fps: Annotated[int, Field(gt=0)]
    default: Defaults
    limits: Limits
    supports_lora: bool
    training: TrainingDefaults | None = None
    supports_negative_prompt: bool = True
    multi_shot: MultiShot = "per-shot"
    schedulers: tuple[str, ...] = ("default",)
    arch: ArchSpec
    weights: WeightsSpec
    licence: Licence
    embedded: bool = False
    cpu_kernels: CpuKernels = "stock"
    continued_by: str | None = None
    fused_loras: tuple[FusedLora, ...] = ()
    flow_shift: float | None = None
    takes_flow_shift: bool = False
    takes_loras_of: str | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.default.size not in self.sizes:
            raise ValueError(f"{self.id}: the default size {self.default.size} is not one of its sizes")
        if not self.frame_rule.admits(self.default.num_frames):
            raise ValueError(f"{self.id}: the default of {self.default.num_frames} frames breaks its own frame rule")
        if not self.limits.min_inference_steps <= self.default.num_inference_steps <= self.limits.num_inference_steps:
            raise ValueError(f"{self.id}: the default steps are beyond the model's limit")
        if ("multi-shot" in self.tasks) != (self.multi_shot == "native"):
            raise ValueError(f"{self.id}: the task multi-shot and multi_shot='native' go together")
        if self.default.scheduler not in (None, *self.schedulers):
            raise ValueError(f"{self.id}: the default scheduler is not one of its schedulers")
        if {lora.repo for lora in self.fused_loras} - {source.repo for source in self.weights.sources}:
            raise ValueError(f"{self.id}: a fused LoRA is in none of its sources")
        return self

    def variant(self, **changes: object) -> Self:
        """A second entry that differs in these fields, checked as a whole like the first."""
        return type(self).model_validate(dict(self) | changes)

    @property
    def module(self) -> str:
        """Import path of the package or module that runs this model."""
        return self.family_module or f"models.{self.family}"

    @property
    def needs_image(self) -> bool:
        """True where the model cannot run without an input image."""
        return "image-to-video" in self.tasks and "text-to-video" not in self.tasks

    @property
    def queue_name(self) -> str:
        """The id as part of an SQS queue's name, in which dots are not allowed."""
        return self.id.replace(".", "-")
