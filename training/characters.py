"""`python -m training.characters`: can a character that is not in the world be learned? Trains a LoRA on wan-mini from
twelve drawn pictures, as the fleet does, and measures the videos made with it by their pixels.

    train     <out>/lora.high_noise.safetensors, lora.low_noise.safetensors
    measure   how often the character is there with its trigger, and without it; what the base has lost
    both      one after the other (`make bench-characters`)
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch

from models import registry
from models.interface import GenerationRequest
from models.lora_training.request import LoraTrainingRequest, Reference, TrainingStep, Watchers
from training.evaluation.generate import Frames, text_to_video
from training.evaluation.pipelines import open_pipeline
from training.evaluation.prompts import scene_prompts
from training.judge.character import Sighting, look_for
from training.judge.verdict import judge, read_clip
from training.pack import CHECKPOINTS
from training.world.character import BACKGROUNDS, Appearance, draw_character, random_appearances

MODEL = "wan-mini"
TRIGGER = "zxpenta"
PICTURES = 12
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


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the training is run with; the rest are the defaults of small models (`jobs.training`)."""

    steps: int = 600
    rank: int = 32
    batch_size: int = 2
    clip_frames: int = 5
    learning_rate: float = 2e-3
    prior_weight: float = 0.5
    device: str = "cpu"


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
    """What a picture shows, in the world's words and the trigger."""
    kind = "gradient background" if appearance.gradient else "background"
    return f"a {TRIGGER} {MOTIONS[appearance.motion]} on a {appearance.background} {kind}"


def references(folder: Path) -> tuple[Reference, ...]:
    """Twelve drawn pictures of the character, still, on several backgrounds, with captions."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = random_appearances(PICTURES, ("still",), np.random.default_rng(0))
    found = []
    for index, (appearance, clip) in enumerate(zip(shown, draw_character(shown, 5, SIDE, SIDE, seed=2), strict=True)):
        path = folder / f"{index:02d}.png"
        PIL.Image.fromarray(clip[0]).save(path)
        found.append(Reference(path=path, caption=caption(appearance)))
    return tuple(found)


def train(out: Path, settings: Settings, base: Path) -> dict[str, Path]:
    """Train as the worker does. Returns the files by expert."""
    sample = GenerationRequest(
        model=MODEL,
        prompt=f"a {TRIGGER} moving right on a blue background",
        width=SIDE,
        height=SIDE,
        num_frames=FRAMES,
        fps=16,
        num_inference_steps=8,
        guidance_scale=3.0,
        seed=1,
    )
    request = LoraTrainingRequest(
        model=MODEL,
        references=references(out / "pictures"),
        trigger=TRIGGER,
        width=SIDE,
        height=SIDE,
        steps=settings.steps,
        rank=settings.rank,
        alpha=float(settings.rank),
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        caption_dropout=0.0,
        clip_frames=settings.clip_frames,
        prior_weight=settings.prior_weight,
        # Captions of the world that no measured prompt repeats.
        prior_captions=tuple(prompt.caption.text for prompt in scene_prompts(300)[200:260]),
        seed=0,
        sample=sample,
    )
    watch = Watchers(on_step=_tell, on_phase=_pass_over, on_sample=_pass_over)
    trainer = registry.load_trainer(MODEL, weights_dir=base, device=settings.device)
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
    for name, value in vars(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    files = {expert: arguments.out / f"lora.{expert}.safetensors" for expert in ("high_noise", "low_noise")}
    settings = Settings(**{name: getattr(arguments, name) for name in vars(Settings())})
    began_s = time.monotonic()
    if arguments.what != "measure":
        files = train(arguments.out, settings, arguments.base)
        print(f"trained in {time.monotonic() - began_s:.0f} s on {settings.device}", flush=True)
    if arguments.what != "train":
        found = measure(files, arguments.count, arguments.base, settings.device)
        print(table(found, arguments.count), flush=True)


if __name__ == "__main__":
    main()
