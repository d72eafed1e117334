"""`python -m training.characters`: can a character that is not in the world be learned? Trains a LoRA on wan-mini from
twelve drawn pictures, as the fleet does, and measures the videos made with it by their pixels.

    train     <out>/lora.high_noise.safetensors, lora.low_noise.safetensors
    measure   how often the character is there with its trigger, and without it; what the base has lost
    both      one after the other (`make bench-characters`)
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch

from models import catalog, registry
from models.catalog.training import TrainingDefaults
from models.interface import GenerationRequest
from models.lora_training.camera import CAMERA
from models.lora_training.request import LoraTrainingRequest, Reference, TrainingStep, Watchers
from training.evaluation.generate import Frames, text_to_video
from training.evaluation.pipelines import open_pipeline
from training.evaluation.prompts import scene_prompts
from training.judge.character import Sighting, look_for
from training.judge.verdict import judge, read_clip
from training.pack import CHECKPOINTS
from training.world.character import BACKGROUNDS, Appearance, draw_portraits, random_appearances

MODEL = "wan-mini"
TRIGGER = "zxpenta"
PICTURES = 12
PICTURE_SIDE = 256
SIDE = 128
FRAMES = 17
# What the world calls a motion -> how a prompt asks for it. A pentagon has no track for a spin that the judge can read.
MOTIONS = {
    "right": "moving right",
    "left": "moving left",
    "up": "moving up",
    "down": "moving down",
    "bounce": "bouncing",
    "still": "staying still",
    "grow": "growing",
    "shrink": "shrinking",
}


# What the command line can set of it.
ASKED = ("steps", "rank", "learning_rate", "batch_size", "clip_frames", "camera_moves", "prior_weight")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Shares of clips, 0 to 1. `base` and `base_after`: wan-mini's adherence before, and with the LoRA at scale 0."""

    with_trigger: float
    motion: float
    background: float
    without_trigger: float
    adherence_with_lora: float
    base: float
    base_after: float


def caption(appearance: Appearance) -> str:
    """How a prompt asks for a clip, in the world's words and the trigger."""
    return _caption(appearance, MOTIONS[appearance.motion])


def _caption(appearance: Appearance, motion: str) -> str:
    kind = "gradient background" if appearance.gradient else "background"
    return f"a {TRIGGER} {motion} on a {appearance.background} {kind}"


def references(folder: Path) -> tuple[Reference, ...]:
    """Twelve drawn pictures of the character on several backgrounds, with captions."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = random_appearances(PICTURES, ("still",), np.random.default_rng(0))
    found = []
    for index, (appearance, picture) in enumerate(zip(shown, draw_portraits(shown, PICTURE_SIDE, seed=2), strict=True)):
        path = folder / f"{index:02d}.png"
        PIL.Image.fromarray(picture).save(path)
        found.append(Reference(path=path, caption=_caption(appearance, CAMERA)))
    return tuple(found)


def settings(**asked: Any) -> TrainingDefaults:
    """What the fleet trains this model with, but for what is `asked`."""
    known = catalog.get(MODEL).training
    assert known is not None
    given = {name: value for name, value in asked.items() if value is not None}
    return TrainingDefaults.model_validate(known.model_dump() | given)


def train(out: Path, using: TrainingDefaults, base: Path, device: str) -> dict[str, Path]:
    """Train as the worker does. Returns the files by expert."""
    default = catalog.get(MODEL).default
    sample = GenerationRequest(
        model=MODEL,
        prompt=f"a {TRIGGER} moving right on a blue background",
        width=SIDE,
        height=SIDE,
        num_frames=FRAMES,
        fps=16,
        num_inference_steps=default.num_inference_steps,
        guidance_scale=default.guidance_scale,
        seed=1,
    )
    request = LoraTrainingRequest(
        model=MODEL,
        references=references(out / "pictures"),
        trigger=TRIGGER,
        width=SIDE,
        height=SIDE,
        steps=using.steps,
        rank=using.rank,
        alpha=float(using.rank),
        learning_rate=using.learning_rate,
        batch_size=using.batch_size,
        caption_dropout=using.caption_dropout,
        clip_frames=using.clip_frames,
        camera_moves=dict(using.camera_moves),
        prior_weight=using.prior_weight,
        prior_captions=using.prior_prompts,
        seed=0,
        sample=sample,
    )
    watch = Watchers(on_step=_tell, on_phase=_pass_over, on_sample=_pass_over)
    trainer = registry.load_trainer(MODEL, weights_dir=base, device=device)
    return dict(trainer.train(request, directory=out, resume=None, watch=watch).files)


def _tell(step: TrainingStep) -> None:
    if step.index % 50 == 0 or step.index == 1:
        print(f"step {step.index} of {step.total}: loss {step.loss:.4f}, {step.seconds:.2f} s", flush=True)


def _pass_over(*_: Any) -> None:
    """Phases and samples are for people who wait."""


def measure(files: dict[str, Path], count: int, base: Path, device: str) -> Figures:
    """`count` prompts with the trigger, and `count` held-out ones of the world with the LoRA, without it and before."""
    pipe = open_pipeline(base, device)
    scenes = scene_prompts(count)
    texts = [prompt.caption.text for prompt in scenes]
    before = _clips(pipe, texts)
    pipe.load_lora_weights(str(files["high_noise"]), adapter_name="high")
    pipe.load_lora_weights(str(files["low_noise"]), adapter_name="low", load_into_transformer_2=True)
    asked = _asked(count)
    seen = [look_for(clip) for clip in _clips(pipe, [caption(each) for each in asked])]
    leaked = _clips(pipe, texts)
    _scale(pipe, 0.0)
    after = _clips(pipe, texts)

    def adherence(clips: Sequence[Frames]) -> float:
        return float(np.mean([judge(p.scene, read_clip(c)).all_right for p, c in zip(scenes, clips, strict=True)]))

    return Figures(
        with_trigger=_share(seen),
        motion=float(np.mean([one.motion == each.motion for one, each in zip(seen, asked, strict=True)])),
        background=float(np.mean([one.background == each.background for one, each in zip(seen, asked, strict=True)])),
        without_trigger=_share([look_for(clip) for clip in leaked]),
        adherence_with_lora=adherence(leaked),
        base=adherence(before),
        base_after=adherence(after),
    )


def _asked(count: int) -> list[Appearance]:
    """Every motion in turn, on random backgrounds."""
    rng = np.random.default_rng(5)
    motions = tuple(MOTIONS)
    return [
        Appearance(motion=motions[at % len(motions)], background=BACKGROUNDS[int(rng.integers(len(BACKGROUNDS)))])
        for at in range(count)
    ]


def _clips(pipe: Any, texts: list[str]) -> list[Frames]:
    return text_to_video(pipe, texts, frames=FRAMES, batch=4 if pipe.device.type == "cpu" else 20)


def _scale(pipe: Any, scale: float) -> None:
    pipe.transformer.set_adapters(["high"], [scale])
    pipe.transformer_2.set_adapters(["low"], [scale])


def _share(seen: Sequence[Sighting]) -> float:
    return float(np.mean([one.shown for one in seen]))


def table(figures: Figures, count: int) -> str:
    """The figures beside what is aimed at."""
    drop = 100 * (figures.base - figures.base_after)
    rows = (
        ("character shown, prompts with its trigger", f"{figures.with_trigger:.1%}", "90% or more"),
        ("... and in the motion asked for", f"{figures.motion:.1%}", ""),
        ("... and on the background asked for", f"{figures.background:.1%}", ""),
        ("character shown, prompts without its trigger, LoRA at scale 1", f"{figures.without_trigger:.1%}", "under 5%"),
        ("adherence without the trigger, LoRA at scale 1", f"{figures.adherence_with_lora:.1%}", ""),
        ("the base's adherence", f"{figures.base:.1%}", ""),
        ("the base's adherence lost at scale 0, points", f"{drop:.1f}", "under 3"),
    )
    lines = [f"| {count} prompts each, {FRAMES} frames | measured | aim |", "|---|---:|---|"]
    return "\n".join(lines + [f"| {name} | {value} | {aim} |" for name, value, aim in rows])


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "measure", "both"))
    parser.add_argument("--out", type=Path, default=Path("dist/characters"))
    parser.add_argument("--base", type=Path, default=CHECKPOINTS / MODEL)
    parser.add_argument("--count", type=int, default=40)
    for name in ASKED:
        parser.add_argument(f"--{name.replace('_', '-')}", type=json.loads, help="the catalog's unless given")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    files = {expert: arguments.out / f"lora.{expert}.safetensors" for expert in ("high_noise", "low_noise")}
    began_s = time.monotonic()
    if arguments.what != "measure":
        using = settings(**{name: getattr(arguments, name) for name in ASKED})
        files = train(arguments.out, using, arguments.base, arguments.device)
        print(f"trained in {time.monotonic() - began_s:.0f} s on {arguments.device}", flush=True)
    if arguments.what != "train":
        found = measure(files, arguments.count, arguments.base, arguments.device)
        print(table(found, arguments.count), flush=True)


if __name__ == "__main__":
    main()
