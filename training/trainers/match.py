"""The four-step LoRA taught further by distribution matching, after DMD2 (Yin et al. 2024,
https://arxiv.org/abs/2405.14867).

Distillation asks the student for the very clip that the teacher makes of the same noise. One step cannot hit it, and
blurs what small differences in the noise decide. Here any clip will do that the teacher, under guidance, finds likely:
a clip of the student's own is noised, the teacher and the critic (a model of the student's clips, which learns beside
it) clean it again, and the clip moves by the difference between the two.

What one of the four steps shows is compared at the noise levels from its end upwards only: of all that it shows, the
next step sees no more. Compared at every level, all steps learn to make sharp clips at once, and in some minutes the
student loses what it had.
"""

import copy
import itertools
import random
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from training.data.stream import SCENE_TOKENS, ChunkStream, chunks
from training.networks.transformer import EAGER, Passes, compiled_passes
from training.trainers.adapters import (
    EXPERTS,
    Experts,
    Mover,
    adapted_experts,
    expert_at,
    frozen_experts,
    save_adapters,
)
from training.trainers.denoiser import choose, empty_caption, load_frozen
from training.trainers.distil import SHIFT, STEPS, four_step_levels, velocity
from training.trainers.examination import Examination
from training.trainers.opponents import Opponents, random_span
from training.trainers.prompted import Prompted, latent_shape, prompted
from training.trainers.run import LOG_EVERY_S, SYNC_EVERY, Clock, RunOptions, log, rank, start
from training.trainers.tasks import TASKS, Task, tiny

CRITIC_STEPS: Final = 4
"""Steps of the critic for one of the student: it must know the student's clips as they are now."""

CRITIC_LEARNING_RATE: Final = 6e-4
MOMENTUM: Final = 0.5
"""Of both: little, since the gradients of an opponent that has moved on are of no use."""

EXAMINE_EVERY_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Clips of a step, and of an examination."""

    clips: int
    examined: int


GPU: Final = Scale(clips=96, examined=512)
CPU: Final = Scale(clips=2, examined=4)


@dataclass(frozen=True, kw_only=True)
class Student:
    """The adapted experts and the four steps in which they make a clip; `schedule` has the steps' shift."""

    schedule: Task
    experts: Experts
    passes: Passes

    @cached_property
    def levels(self) -> list[float]:
        """Noise levels of the four steps, with the final 0."""
        return four_step_levels(self.schedule)

    def velocity(self, latents: Tensor, step: int, text: Prompted) -> Tensor:
        """The velocity at one of the four steps."""
        level = self.levels[step]
        return velocity(self.experts.at(expert_at(self.schedule, level)), latents, level, text.given, self.passes)

    @torch.no_grad()
    def walk(self, noise: Tensor, steps: int, text: Prompted) -> Tensor:
        """Latents after so many of the four steps."""
        latents = noise
        for step, (begin, end) in enumerate(itertools.islice(itertools.pairwise(self.levels), steps)):
            latents = latents + (end - begin) * self.velocity(latents, step, text)
        return latents

    def clip(self, latents: Tensor, step: int, text: Prompted) -> Tensor:
        """The clip that one of the four steps shows."""
        return latents - self.levels[step] * self.velocity(latents, step, text)


class _Match:
    """Student against opponents, and what moves both."""

    def __init__(self, student: Student, opponents: Opponents, options: RunOptions, *, ema_decay: float) -> None:
        self.student, self.opponents = student, opponents
        self.taught = Mover(student.experts, options.learning_rate, momentum=MOMENTUM, ema_decay=ema_decay)
        self.critics = Mover(opponents.critic, CRITIC_LEARNING_RATE, momentum=MOMENTUM, ema_decay=0.0)
        self.losses: dict[str, Tensor] = {}

    def step(self, noise: Tensor, text: Prompted, learning_rate: float, *, teach: bool) -> None:
        """Move the critic, and the student before it if `teach`, by a clip as a random one of the steps shows it."""
        student, step = self.student, random.randrange(STEPS)
        level, floor = student.levels[step], student.levels[step + 1]
        span = random_span(self.opponents.task, floor)
        latents = student.walk(noise, step, text)
        with torch.set_grad_enabled(teach):
            clips = student.clip(latents, step, text)
        if teach:
            loss = 0.5 * F.mse_loss(clips, self.opponents.aim(clips.detach(), span, text))
            self.taught.descend(expert_at(student.schedule, level), loss, learning_rate)
            self.losses[f"at_{level:.3f}"] = loss.detach()
        loss = self.opponents.critic_loss(clips.detach(), span, text)
        self.critics.descend(span.expert, loss, CRITIC_LEARNING_RATE)
        self.losses[f"critic_{span.expert}"] = loss.detach()


class _Examiner:
    """Keeps the adapters that did best so far."""

    def __init__(self, match: _Match, examination: Examination, options: RunOptions, clock: Clock) -> None:
        self.match, self.examination, self.options, self.clock = match, examination, options, clock
        self.best, self.examined_at = -1.0, float("-inf")

    def examine_if_due(self) -> None:
        """Examine now and then, where the clock is looked at."""
        if self.clock.step % SYNC_EVERY == 1 and self.clock.now - self.examined_at > EXAMINE_EVERY_S:
            self.examine()

    def examine(self) -> None:
        """Judge clips by the averaged adapters; write these if they are better than the ones before."""
        if rank() != 0:
            return
        student, flats = self.match.student, self.match.taught.flats
        with flats["high"].averaged(), flats["low"].averaged():
            right = self.examination.right(lambda noise, text: student.walk(noise, STEPS, text))
        log(self.options, self.clock, one=right.one, two=right.two, all=right.all)
        if right.all > self.best:
            self.best = right.all
            save_adapters(student.experts, flats, self.options.out)
        self.examined_at = self.clock.now


def _players(
    task: Task, schedule: Task, experts: Path, lora: Path, options: RunOptions, device: torch.device
) -> _Match:
    passes = compiled_passes() if options.compile else EAGER
    teacher = frozen_experts(experts, device)
    critic = copy.deepcopy(teacher)
    for name in EXPERTS:
        critic.at(name).requires_grad_(True)
    return _Match(
        Student(schedule=schedule, experts=adapted_experts(experts, device, lora), passes=passes),
        Opponents(task=task, teacher=teacher, critic=critic, passes=passes),
        options,
        ema_decay=0.99 if device.type == "cuda" else 0.5,
    )


def train(options: RunOptions, *, experts: Path, lora: Path, vae: Path, text: Path, shift: float | None = None) -> Path:
    """Teach the LoRA in `lora` (high_noise.safetensors, low_noise.safetensors) further; the rest as for `distil.train`.

    Now and then clips of random prompts are judged: the adapters that did best are written under `options.out`.
    """
    device = start(options)
    random.seed(options.seed)  # equal in all processes: they must move, and agree on, the same parameters
    on_gpu = device.type == "cuda"
    scale, task = (GPU, TASKS["t2v"]) if on_gpu else (CPU, tiny(TASKS["t2v"]))
    autoencoder, encoder = load_frozen(vae, text, device)
    match = _players(task, replace(task, shift=shift or SHIFT), experts, lora, options, device)
    options.out.mkdir(parents=True, exist_ok=True)
    kind, nothing = task.kinds[0][0], empty_caption(encoder, SCENE_TOKENS, device)
    stream = chunks(ChunkStream([kind], [1.0], scale.clips, options.seed + 57 + 1000 * rank()), options.workers)
    clock = Clock(options, device)
    examiner = _Examiner(match, Examination(encoder, autoencoder, kind, nothing, scale.examined), options, clock)
    # Casts are not cached: what they are of changes under them.
    with torch.autocast(device.type, torch.bfloat16, enabled=on_gpu, cache_enabled=False):
        while clock.tick():
            examiner.examine_if_due()
            given = prompted(encoder, next(stream).ids[:, 0].to(device), kind, choose(task, device), nothing)
            noise = torch.randn(latent_shape(kind, scale.clips), device=device)
            match.step(noise, given, clock.learning_rate, teach=clock.step % CRITIC_STEPS == 0)
            if clock.due(LOG_EVERY_S):
                log(options, clock, **{name: float(value) for name, value in match.losses.items()})
        examiner.examine()
    return options.out
