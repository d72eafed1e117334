"""What a job needs before it can run: input image, LoRAs and checkpoint on the local disk, and the model's request."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from gpu_agent.checkpoints import CheckpointStore
from gpu_agent.training_inputs import PictureUnusable, references_of, training_request
from gpu_agent.worker.extension import SourceUnusable, input_frame
from jobs import s3_keys
from jobs.ids import CHARACTER_PREFIX
from jobs.job import Job
from jobs.request import Lora
from jobs.training import TrainingPlan
from models import catalog
from models.estimate import Slot
from models.interface import GenerationRequest, LoraRef, Shot
from models.lora_training.request import LoraTrainingRequest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


Expert = Literal["both", "high_noise", "low_noise"]


class InputMissing(Exception):
    """A file that the request names is not in the bucket, or not what it was: the job can never succeed."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The files of one job in `directory`, fetched ahead of its start. `resume` is the checkpoint of `resume_step`,
    `before` the video whose frames come before the generated ones, `training` what is learned before that."""

    directory: Path
    request: GenerationRequest
    resume: Path | None
    resume_step: int
    before: Path | None = None
    training: LoraTrainingRequest | None = None


class InputFetcher:
    """Downloads inputs from the media bucket."""

    def __init__(
        self,
        s3: "S3Client",
        bucket: str,
        checkpoints: CheckpointStore,
        scratch: Path,
        *,
        slot: Slot | None = None,
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._checkpoints = checkpoints
        self._scratch = scratch
        self._slot = slot

    def fetch(self, job: Job) -> Inputs:
        """Everything `job` needs, in a new directory, of which nothing stays where it raises.

        Raises InputMissing, what S3 raises, and OSError for a full disk."""
        self._scratch.mkdir(parents=True, exist_ok=True)  # a cleaner of temporary files may have been here
        # Two slots may reserve the same job; the one that comes too late clears its own folder alone.
        directory = Path(tempfile.mkdtemp(prefix=f"{job.id}-", dir=self._scratch))
        try:
            return self._fetch_into(directory, job)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise

    def _fetch_into(self, directory: Path, job: Job) -> Inputs:
        image = self._download(job.request.image, directory) if job.request.image else None
        before = None
        if job.request.video is not None:
            video = self._download(job.request.video.key, directory)
            image = _frame(video, job)
            before = video if job.request.video.use == "extend" else None
        loras = tuple(ref for lora in job.request.loras for ref in self._loras(lora, job.model, directory))
        resume = self._checkpoints.fetch(job.id, job.checkpoint_step, directory) if job.checkpoint_step else None
        request = generation_request(job, image=image, loras=loras)
        return Inputs(
            directory=directory,
            request=request,
            training=None if job.training is None else self._training(job.training, request, directory),
            resume=resume,
            resume_step=job.checkpoint_step if resume else 0,
            before=before,
        )

    def _loras(self, lora: Lora, model: str, directory: Path) -> Iterator[LoraRef]:
        """A character has one file for each expert of its model; the operator's LoRAs are one file for all of them, or
        one for each."""
        experts: tuple[Expert, ...] = ("high_noise", "low_noise") if catalog.get(model).arch.experts > 1 else ("both",)
        key_of: Callable[[str, str], str] = s3_keys.character_lora
        if not lora.name.startswith(CHARACTER_PREFIX):
            key_of = s3_keys.lora_of_expert
            try:
                path = self._download(s3_keys.lora(lora.name), directory)
            except InputMissing:
                if experts == ("both",):
                    raise
            else:
                yield LoraRef(path=path, scale=lora.scale, name=lora.name)
                return
        for expert in experts:
            path = self._download(key_of(lora.name, "high_noise" if expert == "both" else expert), directory)
            yield LoraRef(path=path, scale=lora.scale, name=lora.name, experts=expert)

    def _training(self, plan: TrainingPlan, sample: GenerationRequest, directory: Path) -> LoraTrainingRequest:
        try:
            return training_request(plan, sample, references_of(plan, directory, self._download), self._slot)
        except PictureUnusable as error:
            raise InputMissing(str(error)) from error

    def _download(self, key: str, directory: Path) -> Path:
        path = directory / Path(key).name
        try:
            self._s3.download_file(self._bucket, key, str(path))
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                raise InputMissing(f"{key} is not in the bucket any more") from error
            raise
        return path


def _frame(video: Path, job: Job) -> Path:
    try:
        return input_frame(video, job.request, video.with_suffix(".png"))
    except SourceUnusable as error:
        raise InputMissing(str(error)) from error


def generation_request(job: Job, *, image: Path | None, loras: tuple[LoraRef, ...]) -> GenerationRequest:
    """The model's request for a job: the same fields, with files in place of keys."""
    asked = job.request
    return GenerationRequest(
        model=asked.model,
        prompt=asked.prompt,
        negative_prompt=asked.negative_prompt,
        shots=tuple(Shot(prompt=shot.prompt, num_frames=shot.num_frames) for shot in asked.shots),
        continuity=asked.continuity,
        width=asked.width,
        height=asked.height,
        num_frames=asked.num_frames,
        fps=asked.fps,
        num_inference_steps=asked.num_inference_steps,
        guidance_scale=asked.guidance_scale,
        guidance_scale_2=asked.guidance_scale_2,
        scheduler=asked.scheduler,
        flow_shift=asked.flow_shift,
        seed=asked.seed,
        image=image,
        loras=loras,
    )


def total_frames(job: Job) -> int:
    """Frames of the finished video: all shots together. A model with native shots counts them as one video."""
    shots, before = job.request.shots, job.request.frames_before
    if not shots or catalog.get(job.model).multi_shot == "native":
        return before + job.request.num_frames
    return before + sum(shot.num_frames or job.request.num_frames for shot in shots)
