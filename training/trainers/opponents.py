"""What a teacher and a critic say of clips that a student made: see `match`."""

import random
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from training.networks.transformer import Passes
from training.trainers.adapters import Experts
from training.trainers.distil import guided_velocity, velocity
from training.trainers.prompted import Prompted
from training.trainers.tasks import Expert, Task, shifted, unshifted

NOISE_RANGE: Final = (0.02, 0.985)
"""Noise levels of the comparison: below, nothing is left to clean; above, nothing of the clip is left to see."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Noise levels to compare clips at, on one side of the boundary: positions 0..1 of the task's schedule."""

    expert: Expert
    least: float
    most: float


def random_span(task: Task, floor: float) -> Span:
    """The part of the levels from `floor` upwards that one expert is for; each is chosen by the size of its part."""
    least, edge = unshifted(floor, task.shift), unshifted(task.boundary, task.shift)
    if random.random() * (1 - least) < 1 - max(edge, least):
        return Span(expert="high", least=max(edge, least), most=1.0)
    return Span(expert="low", least=least, most=edge)


@dataclass(frozen=True, kw_only=True)
class Opponents:
    """What teacher and critic say of the student's clips."""

    task: Task
    teacher: Experts
    critic: Experts
    passes: Passes

    def _noised(self, clips: Tensor, span: Span) -> tuple[Tensor, Tensor, Tensor]:
        """The clips under noise, its levels [B], and the noise."""
        positions = span.least + (span.most - span.least) * torch.rand(len(clips), device=clips.device)
        sigma = shifted(positions, self.task.shift).clamp(*NOISE_RANGE)
        level, noise = sigma.view(-1, 1, 1, 1, 1), torch.randn_like(clips)
        return (1 - level) * clips + level * noise, sigma, noise

    def critic_loss(self, clips: Tensor, span: Span, text: Prompted) -> Tensor:
        """Flow matching on the student's clips."""
        noised, sigma, noise = self._noised(clips, span)
        predicted = velocity(self.critic.at(span.expert), noised, sigma, text.given, self.passes)
        return F.mse_loss(predicted, noise - clips)

    @torch.no_grad()
    def aim(self, clips: Tensor, span: Span, text: Prompted) -> Tensor:
        """Where the clips should be: nearer to what the teacher makes of them, further from what the critic does."""
        noised, sigma, _ = self._noised(clips, span)
        level = sigma.view(-1, 1, 1, 1, 1)
        wanted = noised - level * guided_velocity(span.expert, self.teacher, noised, sigma, text, self.passes)
        critic = self.critic.at(span.expert)
        expected = noised - level * velocity(critic, noised, sigma, text.given, self.passes)
        scale = (clips - wanted).abs().mean(dim=(1, 2, 3, 4), keepdim=True)
        return clips + (wanted - expected) / scale.clamp(min=1e-3)
