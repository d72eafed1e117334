"""Distillation of text to video into a LoRA for four steps without guidance.

The teacher, with guidance, walks from noise along finer steps between the noise levels of the four-step schedule; the
student learns to cross each gap in one straight step. Each expert has an adapter of its own for the gaps that begin on
its side of the boundary.
"""

import itertools
import random
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from diffusers import WanTransformer3DModel
from torch import Tensor
from transformers import UMT5EncoderModel

from models import catalog
from models.common.schedulers import EvenFlowEuler
from training.data.stream import SCENE_TOKENS, ChunkStream, chunks
from training.networks.transformer import EAGER, Passes, compiled_passes, predict_velocity
from training.trainers.adapters import Experts, Mover, adapted_experts, expert_at, frozen_experts, save_adapters
from training.trainers.denoiser import Conditions, choose, empty_caption, load_frozen
from training.trainers.prompted import Prompted, latent_shape, prompted
from training.trainers.run import LOG_EVERY_S, Clock, RunOptions, log, rank, start
from training.trainers.tasks import TASKS, Expert, Task, tiny

STEPS = 4
SHIFT = catalog.get("wan-mini-4step").flow_shift or TASKS["t2v"].shift
"""Of the schedule that the four steps divide evenly."""

SUBSTEPS = 3
"""Teacher steps, of the midpoint method, within one step of the student."""

_DEFAULT = catalog.get("wan-mini").default
GUIDANCE: dict[Expert, float] = {
    "high": _DEFAULT.guidance_scale,
    "low": _DEFAULT.guidance_scale_2 or _DEFAULT.guidance_scale,
}
"""The teacher's: the catalog's defaults."""

OWN_WAY_SHARE = 0.5
"""Share of walks that go on from where the student's own step ends, so that it learns to mend what it does wrong."""

KEPT_WALKS = 24
REPLAYS = 3
"""Kept walks that the student goes through again for every new one: walking costs more than learning."""

CLIPS = 96


def four_step_levels(task: Task) -> list[float]:
    """Noise levels of the four steps, with the final 0."""
    scheduler = EvenFlowEuler(shift=task.shift)
    scheduler.set_timesteps(STEPS)
    return [float(value) for value in scheduler.sigmas]


def velocity(
    model: WanTransformer3DModel, latents: Tensor, level: float | Tensor, text: Conditions, passes: Passes
) -> Tensor:
    """The model's velocity of latents [B, 16, F, h, w] at a noise level, one for all or one a clip [B]; float32."""
    sigma = level if isinstance(level, Tensor) else torch.full((len(latents),), level, device=latents.device)
    return predict_velocity(model, latents, sigma, text.text, text.cross_bias, None, passes).float()


def guided_velocity(
    expert: Expert, teacher: Experts, latents: Tensor, level: float | Tensor, text: Prompted, passes: Passes
) -> Tensor:
    """The teacher's velocity at a noise level, with guidance; `expert`: the one for it."""
    model = teacher.at(expert)
    plain = velocity(model, latents, level, text.unguided, passes)
    return plain + GUIDANCE[expert] * (velocity(model, latents, level, text.given, passes) - plain)


@torch.no_grad()
def teacher_walk(
    task: Task, teacher: Experts, latents: Tensor, ends: tuple[float, float], text: Prompted, passes: Passes
) -> Tensor:
    """Walk latents from one noise level to the next in SUBSTEPS steps of the midpoint method."""
    levels = torch.linspace(*ends, SUBSTEPS + 1).tolist()
    for begin, end in itertools.pairwise(levels):
        middle = (begin + end) / 2
        first, second = expert_at(task, begin), expert_at(task, middle)
        halfway = latents + (middle - begin) * guided_velocity(first, teacher, latents, begin, text, passes)
        latents = latents + (end - begin) * guided_velocity(second, teacher, halfway, middle, text, passes)
    return latents


@dataclass(frozen=True, kw_only=True)
class Gap:
    """One step of the student: where it begins and what it must predict there."""

    begin: float
    latents: Tensor
    velocity: Tensor


@torch.no_grad()
def walk_gaps(
    task: Task, teacher: Experts, student: Experts | None, shape: torch.Size, text: Prompted, passes: Passes
) -> list[Gap]:
    """The teacher's way from noise through the student's schedule, gap by gap; with `student`, each gap begins where
    the student's own step over the one before it ends."""
    levels = four_step_levels(task)
    latents = torch.randn(shape, device=text.given.text.device)
    gaps = []
    for begin, end in itertools.pairwise(levels):
        arrived = teacher_walk(task, teacher, latents, (begin, end), text, passes)
        gaps.append(Gap(begin=begin, latents=latents, velocity=(arrived - latents) / (end - begin)))
        if student is not None:
            model = student.at(expert_at(task, begin))
            arrived = latents + (end - begin) * velocity(model, latents, begin, text.given, passes)
        latents = arrived
    return gaps


class _Walks:
    """The teacher's recent walks; a new one each time, and some of the kept ones again."""

    def __init__(
        self, task: Task, teacher: Experts, student: Experts, encoder: UMT5EncoderModel, options: RunOptions
    ) -> None:
        self.task, self.teacher, self.student, self.encoder = task, teacher, student, encoder
        self.device = next(teacher.high.parameters()).device
        self.on_gpu = self.device.type == "cuda"
        self.kind = task.kinds[0][0]
        self.clips = CLIPS if self.on_gpu else 2
        self.chunks = chunks(
            ChunkStream([self.kind], [1.0], self.clips, options.seed + 31 + 1000 * rank()), options.workers
        )
        self.nothing = empty_caption(encoder, SCENE_TOKENS, self.device)
        self.kept: list[tuple[Conditions, list[Gap]]] = []

    def next(self, passes: Passes) -> list[tuple[Conditions, list[Gap]]]:
        """A new walk and REPLAYS old ones, each with the conditions it was made under."""
        ids = next(self.chunks).ids[:, 0].to(self.device)
        text = prompted(self.encoder, ids, self.kind, choose(self.task, self.device), self.nothing)
        student = self.student if random.random() < OWN_WAY_SHARE else None
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.on_gpu):
            gaps = walk_gaps(self.task, self.teacher, student, latent_shape(self.kind, self.clips), text, passes)
        self.kept = [*self.kept[-KEPT_WALKS:], (text.given, gaps)]
        return [self.kept[-1], *random.choices(self.kept, k=REPLAYS)]


def train(
    options: RunOptions, *, experts: Path, vae: Path, text: Path, shift: float | None = None, lora: Path | None = None
) -> Path:
    """Distil the experts in `experts` (high.safetensors, low.safetensors). `shift`: of the schedule that the four steps
    divide evenly, if not SHIFT; a greater one takes shorter steps where the noise is high. `lora`: folder of adapters
    to go on from.

    Writes `high_noise.safetensors` and `low_noise.safetensors` under `options.out` and returns that folder.
    """
    device = start(options)
    on_gpu = device.type == "cuda"
    task = TASKS["t2v"] if on_gpu else tiny(TASKS["t2v"])
    task = replace(task, shift=shift or SHIFT)
    _, encoder = load_frozen(vae, text, device)
    teacher, student = frozen_experts(experts, device), adapted_experts(experts, device, lora)
    mover = Mover(student, options.learning_rate, momentum=0.9, ema_decay=0.995 if on_gpu else 0.5)
    passes = compiled_passes() if options.compile else EAGER
    options.out.mkdir(parents=True, exist_ok=True)
    walks = _Walks(task, teacher, student, encoder, options)
    clock = Clock(options, device)
    while clock.tick():
        losses: dict[str, Tensor] = {}
        for given, gaps in walks.next(passes):
            for gap in gaps:
                with torch.autocast(device.type, torch.bfloat16, enabled=on_gpu):
                    loss = gap_loss(task, student, gap, given, passes)
                mover.descend(expert_at(task, gap.begin), loss, clock.learning_rate)
                losses[f"at_{gap.begin:.3f}"] = loss.detach()
        if clock.due(LOG_EVERY_S):
            log(options, clock, **{name: float(value) for name, value in losses.items()})
            save_adapters(student, mover.flats, options.out)
    save_adapters(student, mover.flats, options.out)
    return options.out


def gap_loss(task: Task, student: Experts, gap: Gap, given: Conditions, passes: Passes) -> Tensor:
    """Squared error of the student's one step over a gap."""
    model = student.at(expert_at(task, gap.begin))
    return (velocity(model, gap.latents, gap.begin, given, passes) - gap.velocity).square().mean()
