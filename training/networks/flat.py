"""All of a model's parameters as one vector: one optimizer step, one average and one agreement between
processes, whatever the model."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Stepper(Protocol):
    """What steps the parameters: an optimizer of torch, or of ours."""

    def step(self) -> object:
        """Move the parameters along their gradients."""


MAX_GRADIENT_NORM = 1.0
AGREE_EVERY = 10
"""Steps between two averages over the processes of a distributed run. Each goes its own way in between (local SGD,
Stich 2019), so that a step holds no communication and can be a CUDA graph."""


class FlatParameters:
    """Moves the trainable parameters of modules into one vector that they then view.

    Attributes:
        values: the parameters, [P]; ema: their exponential moving average, [P].
    """

    def __init__(self, *modules: nn.Module, ema_decay: float) -> None:
        self.parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
        self.ema_decay = ema_decay
        device = self.parameters[0].device
        self.values = nn.Parameter(torch.cat([p.detach().float().flatten() for p in self.parameters]))
        self.gradient = torch.zeros_like(self.values)
        self.values.grad = self.gradient
        self.steps = 0
        self._tie(self.values.data, with_gradient=True)
        self.share_start(device)
        self.ema = self.values.detach().clone()

    def _tie(self, source: Tensor, *, with_gradient: bool = False) -> None:
        offset = 0
        for parameter in self.parameters:
            end = offset + parameter.numel()
            parameter.data = source[offset:end].view_as(parameter)
            if with_gradient:
                parameter.grad = self.gradient[offset:end].view_as(parameter)
            offset = end

    def share_start(self, device: torch.device) -> None:
        """Give every process of a distributed run the values of the first."""
        if dist.is_initialized():
            dist.broadcast(self.values.data.to(device), src=0)

    def step(self, optimizer: Stepper) -> None:
        """Clip the gradients, step, and update the average of the parameters."""
        norm = torch.linalg.vector_norm(self.gradient)
        self.gradient.mul_((MAX_GRADIENT_NORM / (norm + 1e-6)).clamp(max=1.0))
        # One batch whose gradient overflowed must not end a run: it moves nothing.
        self.gradient.nan_to_num_(0.0, 0.0, 0.0)
        optimizer.step()
        self.gradient.zero_()
        with torch.no_grad():
            self.ema.lerp_(self.values, 1 - self.ema_decay)

    def agree(self) -> None:
        """To be called after every step: now and then, give all processes the mean of their parameters."""
        self.steps += 1
        if dist.is_initialized() and self.steps % AGREE_EVERY == 0:
            dist.all_reduce(self.values.data)
            self.values.data.div_(dist.get_world_size())

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the modules view the averaged parameters meanwhile, for export or judging; no training goes on inside."""
        self._tie(self.ema)
        try:
            yield
        finally:
            self._tie(self.values.data)
