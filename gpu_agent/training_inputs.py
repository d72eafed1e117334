"""What a training needs on the local disk: its pictures, and the request that the trainer reads."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from gpu_agent.worker.extension import SourceUnusable, decoded
from jobs.admission import training_work
from jobs.pictures import frames_evenly
from jobs.training import TrainingPlan, TrainingReference
from models import catalog
from models.catalog import Size
from models.estimate import Slot
from models.interface import GenerationRequest
from models.lora_training.request import LoraTrainingRequest, Reference
from models.placement.training import TrainingRefusal, plan_training


class PictureUnusable(Exception):
    """A picture is not what was accepted; the message is for the caller."""


def references_of(plan: TrainingPlan, directory: Path, download: Callable[[str, Path], Path]) -> tuple[Reference, ...]:
    """Every picture, videos as frames of theirs. Raises PictureUnusable, and what `download` raises."""
    folder = directory / "references"
    folder.mkdir(exist_ok=True)
    found: list[Reference] = []
    for given in plan.references:
        path = download(given.key, folder)
        if given.frames:
            found += _frames(path, given, plan.caption(given))
        else:
            if hashlib.sha256(path.read_bytes()).hexdigest() != given.sha256:
                raise PictureUnusable(f"{path.name} is not the picture that was accepted")
            found.append(Reference(path=path, caption=plan.caption(given)))
    return tuple(found)


def _frames(video: Path, given: TrainingReference, caption: str) -> list[Reference]:
    """`given.frames` frames, evenly spread over the video; of the video, only these are kept."""
    import PIL.Image

    try:
        total = sum(1 for _ in decoded(video))
        wanted = set(frames_evenly(total, given.frames))
        found = []
        for at, frame in enumerate(decoded(video)):
            if at in wanted:
                path = video.with_name(f"{video.stem}-{at:05d}.png")
                PIL.Image.fromarray(frame).save(path, "PNG")
                found.append(Reference(path=path, caption=caption))
    except SourceUnusable as error:
        raise PictureUnusable(str(error)) from error
    video.unlink()
    return found


def training_request(
    plan: TrainingPlan, sample: GenerationRequest, references: tuple[Reference, ...], slot: Slot | None
) -> LoraTrainingRequest:
    """The trainer's request; how the frozen base is kept follows from the slot. Raises PictureUnusable where the
    slot cannot hold the training."""
    spec, settings = catalog.get(sample.model), plan.settings
    placed = plan_training(spec, training_work(plan), slot)
    if isinstance(placed, TrainingRefusal):
        raise PictureUnusable(placed.reason)
    size = Size.parse(settings.size)
    return LoraTrainingRequest(
        model=sample.model,
        references=references,
        trigger=plan.trigger,
        width=size.width,
        height=size.height,
        steps=settings.steps,
        rank=settings.rank,
        alpha=settings.alpha,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        caption_dropout=settings.caption_dropout,
        clip_frames=settings.clip_frames,
        camera_moves=settings.camera_moves,
        prior_weight=settings.prior_weight,
        prior_captions=settings.prior_prompts,
        base=placed.base,
        optimizer="adamw8bit" if placed.eight_bit_optimiser else "adamw",
        gradient_checkpointing=placed.gradient_checkpointing,
        seed=settings.seed,
        sample=sample,
        sample_every=settings.sample_every,
        about={
            "character": plan.name,
            "version": str(plan.version),
            "licence": f"{spec.licence.name} (of the base model)",
            "images_sha256": ",".join(reference.sha256 for reference in plan.references),
            "settings": settings.model_dump_json(),
        },
    )
