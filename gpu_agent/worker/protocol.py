"""What the agent and a slot's worker process say to each other over their pipe. No torch here: both sides import it."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gpu_agent.cadence import Cadence
from jobs.request import Codec
from models.interface import GenerationRequest, Phase
from models.lora_training.request import LoraTrainingRequest
from models.placement import Plan


class FailureKind(StrEnum):
    """Whose fault a failure is, which decides what becomes of the job.

    REQUEST: the job can never succeed. WORKER: this try went wrong and counts as a crash (also out of memory).
    DEVICE: the same, and the GPU is suspect. MACHINE: the disk or the like, counts as lost capacity. GPU: its memory
    failed, which counts as lost capacity, and the GPU is suspect.
    """

    REQUEST = "request"
    WORKER = "worker"
    DEVICE = "device"
    MACHINE = "machine"
    GPU = "gpu"


# Agent to worker


@dataclass(frozen=True, kw_only=True)
class SlotSpec:
    """What a worker process owns: its GPUs (empty: `cpu_threads` of the CPU), and where the weights lie: on the disk
    in `weights_dir`, and in `weights_bucket`, from which they are fetched (empty: nothing is).

    The number of threads is fixed because it takes part in the order of sums, and so in the last bits of a video.
    """

    name: str
    gpus: tuple[int, ...]
    weights_dir: Path
    weights_bucket: str = ""
    cpu_threads: int = 1


@dataclass(frozen=True, kw_only=True)
class RunJob:
    """Generate `request` into `directory`, which exists; go on from the checkpoint file `resume` if there is one.

    `total_frames` is the length of the finished video before interpolation, all shots together, and the frames of the
    video `before` but for one. `training` comes first, and its LoRA is used for the video; `steps_before` are its steps
    once it is done: they count as the job's, and the video's own are not saved on the way. `plan` says where the
    networks lie; None leaves it to the model.
    """

    job_id: str
    attempt: int
    request: GenerationRequest
    directory: Path
    resume: Path | None
    cadence: Cadence
    total_frames: int
    plan: Plan | None = None
    codec: Codec = "h264"
    upscale: int = 1
    interpolate: int = 1
    before: Path | None = None
    training: LoraTrainingRequest | None = None
    steps_before: int = 0


@dataclass(frozen=True, kw_only=True)
class PrepareJob:
    """`request` will follow the job under way: make ready of it what can be beside that one."""

    request: GenerationRequest


class StopWhy(StrEnum):
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class StopJob:
    """End the job after the step under way. INTERRUPTED saves a checkpoint first, CANCELLED does not."""

    job_id: str
    attempt: int
    why: StopWhy


@dataclass(frozen=True, kw_only=True)
class Exit:
    """End the process when idle."""


# Worker to agent


@dataclass(frozen=True, kw_only=True)
class WorkerReady:
    device: str
    device_name: str


@dataclass(frozen=True, kw_only=True)
class ModelLoaded:
    model: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class PhaseBegan:
    job_id: str
    attempt: int
    phase: Phase


@dataclass(frozen=True, kw_only=True)
class StepDone:
    job_id: str
    attempt: int
    index: int
    total: int
    seconds: float
    phase: Phase = "denoise"


@dataclass(frozen=True, kw_only=True)
class TrainingTold:
    """How a training goes: the losses so far as JSON, and perhaps a sample (a JPEG, named by its step)."""

    job_id: str
    attempt: int
    losses: str
    sample: Path | None


@dataclass(frozen=True, kw_only=True)
class LoraTrained:
    """What was learned lies in files, by expert: diffusers' layout, and in `exports` ComfyUI's."""

    job_id: str
    attempt: int
    files: dict[str, Path]
    exports: dict[str, Path]
    seconds_by_phase: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class CheckpointSaved:
    """A checkpoint lies on the local disk. `cost_s` is what it took of the denoising thread, `save_s` of the disk."""

    job_id: str
    attempt: int
    step: int
    path: Path
    cost_s: float
    save_s: float


@dataclass(frozen=True, kw_only=True)
class CheckpointRefused:
    """The checkpoint given for resuming is corrupt or of other work; the job runs from its beginning."""

    job_id: str
    attempt: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class JobStopped:
    """The job was stopped after `step`; a checkpoint that was saved for it has been reported before."""

    job_id: str
    attempt: int
    step: int


@dataclass(frozen=True, kw_only=True)
class FramesDone:
    """The last frame has left the model: the slot is free for the next job while this one is encoded and uploaded."""

    job_id: str
    attempt: int
    seconds_by_phase: dict[str, float]
    peak_gpu_gib: float


@dataclass(frozen=True, kw_only=True)
class EncoderWorks:
    """The encoder has taken frames since it last said so."""

    job_id: str
    attempt: int


@dataclass(frozen=True, kw_only=True)
class VideoEncoded:
    """The finished files. `seconds` is the playing time, `encode_s` what encoding took after the last frame."""

    job_id: str
    attempt: int
    video: Path
    thumbnail: Path
    spritesheet: Path
    width: int
    height: int
    num_frames: int
    fps: int
    bytes: int
    seconds: float
    encode_s: float


@dataclass(frozen=True, kw_only=True)
class JobFailed:
    """`ends_worker`: these are the process's last words on what it ran; it ends by itself, and takes no other job."""

    job_id: str
    attempt: int
    kind: FailureKind
    code: str
    message: str
    while_encoding: bool = False
    ends_worker: bool = False


FromAgent = RunJob | PrepareJob | StopJob | Exit
FromWorker = (
    WorkerReady
    | ModelLoaded
    | PhaseBegan
    | StepDone
    | CheckpointSaved
    | CheckpointRefused
    | JobStopped
    | TrainingTold
    | LoraTrained
    | FramesDone
    | EncoderWorks
    | VideoEncoded
    | JobFailed
)
