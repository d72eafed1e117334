"""The figures of a shipped checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from models import catalog
from models.catalog.cuts import even_cuts
from models.common.schedulers import EvenFlowEuler
from training.evaluation.generate import TEXT, Frames, image_to_video, psnr_db, text_to_video, to_tensor
from training.evaluation.pipelines import open_pipeline
from training.evaluation.prompts import ScenePrompt, StoryPrompt, scene_prompts, story_prompts
from training.evaluation.scores import Scored, shares, story_shares
from training.judge.verdict import judge, judge_story, read_clip
from training.world.draw import draw_scenes

Rows = dict[str, dict[str, float]]
STORIES: Final = catalog.get("holocine-mini").default
FOUR_STEPS: Final = catalog.get("wan-mini-4step")


def _scored(prompts: Sequence[ScenePrompt], clips: Sequence[Frames]) -> list[Scored]:
    return [
        Scored(language=p.caption.language, verdict=judge(p.scene, read_clip(clip)))
        for p, clip in zip(prompts, clips, strict=True)
    ]


def measure_text_to_video(
    folder: Path,
    count: int,
    device: str,
    *,
    lora: Path | None = None,
    frames: int = 33,
    size: tuple[int, int] = (128, 128),
) -> Rows:
    """Shares for text to video on `count` held-out prompts; with `lora`, in four steps without guidance."""
    pipe = open_pipeline(folder, device)
    given = TEXT
    if lora is not None:
        given = FOUR_STEPS.default
        pipe.scheduler = EvenFlowEuler(shift=FOUR_STEPS.flow_shift)
        pipe.load_lora_weights(lora, weight_name="high_noise.safetensors", adapter_name="high")
        pipe.load_lora_weights(
            lora, weight_name="low_noise.safetensors", adapter_name="low", load_into_transformer_2=True
        )
    prompts = scene_prompts(count)
    height, width = size
    clips = text_to_video(
        pipe,
        [p.caption.text for p in prompts],
        frames=frames,
        height=height,
        width=width,
        given=given,
        batch=25 if device == "cuda" else 2,
    )
    return shares(_scored(prompts, clips))


def measure_image_to_video(folder: Path, count: int, device: str) -> tuple[Rows, float]:
    """Shares for image to video, and the mean PSNR (dB) of the first frame against the given image."""
    pipe = open_pipeline(folder, device, image=True)
    prompts = scene_prompts(count)
    images = draw_scenes([p.scene for p in prompts], 33, 128, 128, seed=3)[:, 0]
    clips = image_to_video(pipe, [p.caption.text for p in prompts], list(images))
    first = [psnr_db(clip[0], image) for clip, image in zip(clips, images, strict=True)]
    return shares(_scored(prompts, clips)), float(np.mean(first))


def measure_autoencoder(folder: Path, count: int, device: str) -> float:
    """Mean PSNR (dB) of held-out clips of 33 frames after encoding and decoding."""
    vae = open_pipeline(folder, device).vae
    clips = draw_scenes([p.scene for p in scene_prompts(count)], 33, 128, 128, seed=4)
    values = []
    for clip in clips:
        video = to_tensor(clip).to(device)
        with torch.no_grad():
            shown = vae.decode(vae.encode(video).latent_dist.mode()).sample
        frames = ((shown[0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 3, 0).cpu().numpy()
        values.append(psnr_db(frames, clip))
    return float(np.mean(values))


def _story_clip(pipe: Any, prompt: StoryPrompt, cuts: tuple[int, ...], frames: int, seed: int) -> Frames:
    from models.holocine.layout import ShotLayout
    from models.holocine.locate import locate_captions
    from models.holocine.shots import latent_shot_indices

    text = prompt.caption.prompt
    layout = ShotLayout(
        shot_of_latent_frame=latent_shot_indices(cuts, frames),
        text=locate_captions(pipe.tokenizer, text, max_tokens=256),
    )
    out = pipe(
        prompt=text,
        shot_layout=layout,
        num_frames=frames,
        height=128,
        width=128,
        num_inference_steps=STORIES.num_inference_steps,
        guidance_scale=STORIES.guidance_scale,
        guidance_scale_2=STORIES.guidance_scale_2,
        max_sequence_length=256,
        generator=torch.Generator("cpu").manual_seed(seed),
        output_type="np",
    )
    return (np.asarray(out.frames[0]) * 255).round().astype(np.uint8)


STORY_KINDS = ((2, 49), (3, 49), (4, 49), (4, 81))
"""Shots and frames of the stories that are measured, as far as the variant admits the frames."""


def measure_stories(folder: Path, variant: str, count: int, device: str) -> Rows:
    """Shares for multi-shot, `count` held-out stories of each number of shots with even cuts."""
    pipe = open_holocine(folder, variant, device)
    rows, every = {}, []
    admitted = catalog.get("holocine-mini" if variant == "full" else "holocine-mini-sparse").frame_rule.admits
    for shots, frames in STORY_KINDS:
        if not admitted(frames):
            continue
        cuts = even_cuts(frames, shots)
        verdicts = [
            judge_story(prompt.story, _story_clip(pipe, prompt, cuts, frames, seed), (0, *cuts))
            for seed, prompt in enumerate(story_prompts(count, shots))
        ]
        rows[f"{shots} shots, {frames} frames"] = story_shares(verdicts)
        every += verdicts
    rows["all"] = story_shares(every)
    return rows


def open_holocine(folder: Path, variant: str, device: str) -> Any:
    """The multi-shot pipeline of one variant (`full`, `sparse`) in float32."""
    import json

    from diffusers import AutoencoderKLWan
    from transformers import UMT5EncoderModel

    from models.holocine.checkpoint import load_expert
    from models.holocine.pipeline import HoloCinePipeline
    from training.captions.tokenizer import load_tokenizer
    from training.trainers.tasks import TASKS

    task = TASKS["holocine"]
    config = json.loads((folder / "transformer" / "config.json").read_text("utf-8"))
    experts = [
        load_expert(
            folder / "HoloCine_dit" / variant / f"{variant}_{noise}_noise.safetensors",
            config,
            sparse=variant == "sparse",
            dtype=torch.float32,
        )
        for noise in ("high", "low")
    ]
    pipe = HoloCinePipeline(
        tokenizer=load_tokenizer(folder / "tokenizer"),
        text_encoder=UMT5EncoderModel.from_pretrained(folder / "text_encoder", dtype=torch.float32),
        vae=AutoencoderKLWan.from_pretrained(folder / "vae", torch_dtype=torch.float32),
        scheduler=EvenFlowEuler(shift=task.shift),
        transformer=experts[0],
        transformer_2=experts[1],
        boundary_ratio=task.boundary,
    ).to(device)
    pipe.set_progress_bar_config(disable=True)
    return pipe
