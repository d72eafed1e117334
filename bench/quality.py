"""`python -m bench.quality [prompts]`: what quantised layers do to a trained model's videos, on any machine.

Random weights cannot tell. wan-mini follows its prompts, and the pixel judge of `training` reads whether a clip does:
colour, background, shape and motion. PSNR is between the tiers' videos of one seed, beside that between two seeds.
"""

from __future__ import annotations

import datetime
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from bench.record import Row, Section, table
from bench.report import RESULTS
from models import registry
from models.common.engine import DiffusersVideoModel
from models.common.pipelines import PipelineSet
from models.common.residency import Residency
from models.interface import GenerationRequest
from models.placement.plan import Dtype
from training.evaluation.generate import psnr_db
from training.evaluation.prompts import ScenePrompt, scene_prompts
from training.judge.verdict import judge, read_clip

PROMPTS = 12
SEED = 17
VARIANTS: dict[str, Dtype] = {"exact": "float32", "fast, int8": "int8", "fast, fp8": "float8"}


def main() -> int:
    torch.set_num_threads(2)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PROMPTS
    section = Section(
        name="quality",
        machine=f"CPU {platform.machine()}",
        software=f"torch {torch.__version__}",
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    began_s = time.monotonic()
    prompts = scene_prompts(count)
    exact: list[np.ndarray] = []
    for name, dtype in VARIANTS.items():
        clips = _clips(dtype, prompts, SEED)
        exact = exact or clips
        section.rows.append(_row(name, prompts, clips, exact))
        print(table(section), flush=True)
    others = _clips("float32", prompts[:3], SEED + 1)
    section.rows.append(_row("exact, another seed", prompts[:3], others, exact[:3]))
    section.seconds = time.monotonic() - began_s
    section.save(RESULTS)
    print(table(section))
    return 0


def _clips(dtype: Dtype, prompts: Sequence[ScenePrompt], seed: int) -> list[np.ndarray]:
    model = registry.load("wan-mini")
    assert isinstance(model, DiffusersVideoModel)
    if dtype != "float32":
        model = _quantised(model, dtype)
    clips = []
    for prompt in prompts:
        asked = GenerationRequest(
            model="wan-mini",
            prompt=prompt.caption.text,
            width=128,
            height=128,
            num_frames=33,
            fps=16,
            num_inference_steps=8,
            guidance_scale=3.0,
            seed=seed,
        )
        clips.append(np.stack(list(model.generate(asked, on_step=_pass_over, on_phase=_pass_over))))
    model.unload()
    return clips


def _quantised(model: DiffusersVideoModel, dtype: Dtype) -> DiffusersVideoModel:
    """The same model with its denoisers' layers in eight bits; activations and the rest stay float32 on a CPU."""
    cpu = torch.device("cpu")
    pipelines = PipelineSet(
        family=model._family,
        folder=registry.CHECKPOINTS / "wan-mini",
        device=cpu,
        dtype=torch.float32,
        residency=replace(Residency.of(None, cpu, cpu_kernels=model.spec.cpu_kernels), denoiser_dtype=dtype),
    )
    return DiffusersVideoModel(spec=model.spec, family=model._family, pipelines=pipelines)


def _row(name: str, prompts: Sequence[ScenePrompt], clips: Sequence[np.ndarray], exact: Sequence[np.ndarray]) -> Row:
    verdicts = [judge(prompt.scene, read_clip(clip)) for prompt, clip in zip(prompts, clips, strict=True)]
    right = sum(verdict.all_right for verdict in verdicts)
    parts = {
        part: sum(getattr(each, part) for each in verdicts) for part in ("colour", "background", "shape", "motion")
    }
    psnr = [psnr_db(clip, reference) for clip, reference in zip(clips, exact, strict=True)]
    same = name == "exact"
    return Row(
        what=f"wan-mini, {len(prompts)} prompts, all four attributes right",
        variant=name,
        value=100 * right / len(prompts),
        unit="%",
        repeats=len(prompts),
        note=", ".join(f"{part} {count}" for part, count in parts.items())
        + ("" if same else f"; PSNR to exact {np.median(psnr):.1f} dB (median), {min(psnr):.1f} (least)"),
    )


def _pass_over(_: object) -> None:
    """Nobody asks."""


if __name__ == "__main__":
    sys.exit(main())
