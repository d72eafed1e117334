"""`python -m bench.quality [prompts]`: what the fast tier does to a trained model's videos, on any machine.

Random weights cannot tell. wan-mini follows its prompts, and the pixel judge of `training` reads whether a clip does:
colour, background, shape and motion. PSNR is between the tiers' videos of one seed, beside that between two seeds.
"""

from __future__ import annotations

import datetime
import platform
import sys
import time
from collections.abc import Sequence

import numpy as np
import torch

from bench.record import Row, Section, table
from bench.report import RESULTS
from models import catalog, registry
from models.common.engine import DiffusersVideoModel
from models.common.pipelines import PipelineSet
from models.common.residency import Residency
from models.interface import GenerationRequest
from models.speed import fp8_attention
from models.speed.step_cache import THRESHOLD
from models.speed.tiers import NONE, Acceleration
from training.evaluation.generate import psnr_db
from training.evaluation.prompts import ScenePrompt, scene_prompts
from training.judge.verdict import judge, read_clip

PROMPTS = 12
SEED = 17
MANY_STEPS = 40
"""As the large models' defaults: in the mini model's own twenty, hardly a step is like the one before."""

VARIANTS: dict[str, Acceleration] = {
    "exact": NONE,
    "fast, int8": Acceleration(linears="int8"),
    "fast, fp8": Acceleration(linears="float8"),
    "fast, fp8 with its attention": Acceleration(linears="float8", kernel=fp8_attention.NAME),
    f"step cache {THRESHOLD}": Acceleration(step_cache=THRESHOLD),
}
CACHES: dict[str, Acceleration] = {
    f"{MANY_STEPS} steps, exact": NONE,
    **{f"{MANY_STEPS} steps, step cache {value}": Acceleration(step_cache=value) for value in (THRESHOLD, 0.1, 0.2)},
}


def main() -> int:
    torch.set_num_threads(2)
    fp8_attention.FEWEST_KEYS = 1  # a clip of the mini model has 576 tokens: all its attention then, that to texts too
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PROMPTS
    section = Section(
        name="quality",
        machine=f"CPU {platform.machine()}",
        software=f"torch {torch.__version__}",
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    began_s = time.monotonic()
    prompts = scene_prompts(count)
    default = catalog.get("wan-mini").default.num_inference_steps
    for variants, steps in ((VARIANTS, default), (CACHES, MANY_STEPS)):
        exact: list[np.ndarray] = []
        for name, chosen in variants.items():
            clips, computed = _clips(chosen, prompts, SEED, steps)
            exact = exact or clips
            section.rows.append(_row(name, prompts, clips, exact, computed))
            print(table(section), flush=True)
        if steps == default:
            others, computed = _clips(NONE, prompts[:3], SEED + 1, steps)
            section.rows.append(_row("exact, another seed", prompts[:3], others, exact[:3], computed))
    section.seconds = time.monotonic() - began_s
    section.save(RESULTS)
    print(table(section))
    return 0


def _clips(
    chosen: Acceleration, prompts: Sequence[ScenePrompt], seed: int, steps: int
) -> tuple[list[np.ndarray], float]:
    """The prompts' clips, and the share of the denoisers' passes in which all blocks ran."""
    default = catalog.get("wan-mini").default
    model = registry.load("wan-mini")
    assert isinstance(model, DiffusersVideoModel)
    if chosen != NONE:
        model = _accelerated(model, chosen)
    passes = _Passes(model)
    clips = []
    for prompt in prompts:
        asked = GenerationRequest(
            model="wan-mini",
            prompt=prompt.caption.text,
            width=default.size.width,
            height=default.size.height,
            num_frames=default.num_frames,
            fps=16,
            num_inference_steps=steps,
            guidance_scale=default.guidance_scale,
            guidance_scale_2=default.guidance_scale_2,
            seed=seed,
        )
        clips.append(np.stack(list(model.generate(asked, on_step=_pass_over, on_phase=_pass_over))))
    model.unload()
    return clips, passes.computed / passes.begun


class _Passes:
    """Counts forward passes that began, and those that went on behind the first block."""

    def __init__(self, model: DiffusersVideoModel) -> None:
        self.begun = self.computed = 0
        pipe = model._pipelines.generation(with_image=False)
        for denoiser in (pipe.transformer, pipe.transformer_2):
            denoiser.blocks[0].attn1.register_forward_pre_hook(self._begin)
            denoiser.blocks[1].attn1.register_forward_pre_hook(self._compute)

    def _begin(self, *_: object) -> None:
        self.begun += 1

    def _compute(self, *_: object) -> None:
        self.computed += 1


def _accelerated(model: DiffusersVideoModel, chosen: Acceleration) -> DiffusersVideoModel:
    """The same model with its denoisers changed; what is not quantised stays float32 on a CPU."""
    cpu = torch.device("cpu")
    pipelines = PipelineSet(
        family=model._family,
        folder=registry.CHECKPOINTS / "wan-mini",
        device=cpu,
        dtype=torch.float32,
        residency=Residency.of(None, cpu, cpu_kernels=model.spec.cpu_kernels),
        acceleration=chosen,
    )
    return DiffusersVideoModel(spec=model.spec, family=model._family, pipelines=pipelines)


def _row(
    name: str,
    prompts: Sequence[ScenePrompt],
    clips: Sequence[np.ndarray],
    exact: Sequence[np.ndarray],
    computed: float,
) -> Row:
    verdicts = [judge(prompt.scene, read_clip(clip)) for prompt, clip in zip(prompts, clips, strict=True)]
    right = sum(verdict.all_right for verdict in verdicts)
    parts = {
        part: sum(getattr(each, part) for each in verdicts) for part in ("colour", "background", "shape", "motion")
    }
    psnr = [psnr_db(clip, reference) for clip, reference in zip(clips, exact, strict=True)]
    same = all(clip is reference for clip, reference in zip(clips, exact, strict=True))
    return Row(
        what=f"wan-mini, {len(prompts)} prompts, all four attributes right",
        variant=name,
        value=100 * right / len(prompts),
        unit="%",
        repeats=len(prompts),
        note=", ".join(f"{part} {count}" for part, count in parts.items())
        + ("" if computed == 1 else f"; {100 * computed:.0f}% of the passes computed")
        + ("" if same else f"; PSNR to exact {np.median(psnr):.1f} dB (median), {min(psnr):.1f} (least)"),
    )


def _pass_over(_: object) -> None:
    """Nobody asks."""


if __name__ == "__main__":
    sys.exit(main())
